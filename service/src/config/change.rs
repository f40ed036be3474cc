// SPDX-License-Identifier: GPL-3.0-or-later
//! What a new configuration changes, and which of it can change under running calls.

use toml::Table;

use super::Config;

/// How two configurations differ, key by key: `limits.connections`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Applies at once.
    pub live: Vec<String>,
    /// Waits for the next start.
    pub restart: Vec<String>,
}

impl Difference {
    /// Whether nothing changed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.live.is_empty() && self.restart.is_empty()
    }

    /// One line for each key that waits for a restart.
    #[must_use]
    pub fn restart_lines(&self) -> Vec<String> {
        self.restart.iter().map(|key| format!("{key} takes effect after a restart")).collect()
    }
}

/// Takes the running value of each named key, and says which the file wants otherwise.
macro_rules! keep_running {
    ($next:ident, $running:ident: $($section:ident.$key:ident),* $(,)?) => {{
        let mut waiting = Vec::new();
        $(if $next.$section.$key != $running.$section.$key {
            waiting.push(kebab(concat!(stringify!($section), ".", stringify!($key))));
            $next.$section.$key = $running.$section.$key.clone();
        })*
        waiting
    }};
}

impl Config {
    /// What is in force when this runs and `file` is read: live keys from the file, the others as
    /// they are; and what changed.
    #[must_use]
    pub fn reloaded(&self, file: Self) -> (Self, Difference) {
        let mut next = file;
        // Sockets, buffers and the store are made once; the domain is part of addresses that
        // phones hold; passwords do not move by themselves; a log does not move while it is written.
        let restart = keep_running!(next, self:
            sip.listen,
            sip.lan,
            sip.domain,
            accounts.passwords,
            messages.keep,
            messages.keep_per_extension,
            history.keep,
            history.keep_days,
            limits.connections,
            limits.connections_per_source,
            limits.idle_connection_seconds,
            limits.half_message_seconds,
            limits.message_bytes,
            limits.header_fields,
            log.target,
        );
        let live = changed_keys(&self.table(), &next.table());
        (next, Difference { live, restart })
    }

    /// What would change if `file` were read while this runs.
    #[must_use]
    pub fn diff(&self, file: &Self) -> Difference {
        self.reloaded(file.clone()).1
    }

    /// Everything as a table, defaults included.
    #[must_use]
    pub fn table(&self) -> Table {
        Table::try_from(self).expect("a configuration consists of numbers, words and lists")
    }
}

fn changed_keys(old: &Table, new: &Table) -> Vec<String> {
    let mut changed = Vec::new();
    for (section, new) in new {
        let (Some(new), Some(old)) = (new.as_table(), old.get(section).and_then(|t| t.as_table()))
        else {
            continue;
        };
        let differs = new.iter().filter(|(key, value)| old.get(*key) != Some(value));
        changed.extend(differs.map(|(key, _)| format!("{section}.{key}")));
    }
    changed
}

fn kebab(name: &str) -> String {
    // stringify! may put blanks around the dot.
    name.replace('_', "-").replace(' ', "")
}
