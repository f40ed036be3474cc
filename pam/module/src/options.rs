// SPDX-License-Identifier: GPL-3.0-or-later
//! What the line in the stack says behind `pam_sipwitch.so`.

use std::path::Path;

use sipwitch_digest_store::{Algorithm, Realm, Store};

/// The options; their defaults are those of pam_sipwitch(8).
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) realm: Option<Realm>,
    pub(crate) store: Store,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) minuid: u32,
    pub(crate) only_group: Option<String>,
    pub(crate) debug: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            realm: None,
            store: Store::of_the_machine(),
            algorithms: vec![Algorithm::Sha256],
            minuid: 1000,
            only_group: None,
            debug: false,
        }
    }
}

impl Options {
    /// Reads them, and says what is wrong. An option that nobody knows is passed over. A value that
    /// cannot be read stops us: it may have been meant to forbid something.
    pub(crate) fn read(arguments: &[String]) -> (Option<Self>, Vec<String>) {
        let (mut options, mut mistakes, mut usable) = (Self::default(), Vec::new(), true);
        for argument in arguments {
            let (key, value) = argument.split_once('=').unwrap_or((argument, ""));
            let read = match key {
                "realm" => value.parse().map(|realm| options.realm = Some(realm)).is_ok(),
                "db" => {
                    options.store = Store::at(value);
                    Path::new(value).is_absolute()
                }
                "algorithms" => {
                    let read: Result<Vec<_>, _> = value.split(',').map(str::parse).collect();
                    read.map(|algorithms| options.algorithms = distinct(algorithms)).is_ok()
                }
                "minuid" => value.parse().map(|minuid| options.minuid = minuid).is_ok(),
                "only_group" => {
                    options.only_group = Some(value.to_owned());
                    !value.is_empty()
                }
                "debug" if argument == "debug" => {
                    options.debug = true;
                    true
                }
                _ => {
                    mistakes.push(format!("unknown option {key}"));
                    true
                }
            };
            if !read {
                mistakes.push(format!("nothing is kept: no such value of {key}"));
                usable = false;
            }
        }
        (usable.then_some(options), mistakes)
    }
}

/// Each algorithm once.
fn distinct(algorithms: Vec<Algorithm>) -> Vec<Algorithm> {
    let chosen = |algorithm: &Algorithm| algorithms.contains(algorithm);
    Algorithm::ALL.into_iter().filter(chosen).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (Option<Options>, Vec<String>) {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::read(&arguments)
    }

    #[test]
    fn each_option_is_read() {
        let line =
            "realm=house db=/srv/db algorithms=md5,sha512-256,md5 minuid=500 only_group=sip debug";
        let (options, mistakes) = read(line);
        let options = options.unwrap();
        assert_eq!(mistakes, Vec::<String>::new());
        assert_eq!(options.realm.unwrap().as_str(), "house");
        assert_eq!(options.algorithms, [Algorithm::Sha512T256, Algorithm::Md5]);
        assert_eq!((options.minuid, options.debug), (500, true));
        assert_eq!(options.only_group.as_deref(), Some("sip"));
        assert!(format!("{:?}", options.store).contains("/srv/db"));
    }

    #[test]
    fn md5_is_kept_only_where_it_is_asked_for() {
        assert_eq!(Options::default().algorithms, [Algorithm::Sha256]);
    }

    #[test]
    fn unknown_options_are_told_and_passed_over() {
        let (options, mistakes) = read("use_first_pass debug=1");
        assert!(options.is_some_and(|options| !options.debug));
        assert_eq!(mistakes, ["unknown option use_first_pass", "unknown option debug"]);
    }

    #[test]
    fn a_value_that_cannot_be_read_stops_us() {
        for line in [
            "realm=",
            "realm=a:b",
            "db=x",
            "algorithms=",
            "algorithms=md4",
            "minuid=-1",
            "only_group=",
        ] {
            let (options, mistakes) = read(line);
            assert!(options.is_none() && mistakes.len() == 1, "{line}");
        }
    }
}
