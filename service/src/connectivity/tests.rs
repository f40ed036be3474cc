// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use super::{
    netlink::Netlink,
    picture::{Interface, Kind, Picture},
    settling::{Look, Settling},
    sleep::Due,
    *,
};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn picture(interfaces: &[(&str, Kind, &str)], outward: &[&str]) -> Picture {
    let addresses = |list: &str| -> Vec<IpAddr> {
        list.split_terminator(' ').map(|a| a.parse().unwrap()).collect()
    };
    Picture {
        interfaces: interfaces
            .iter()
            .map(|(name, kind, list)| Interface {
                name: (*name).into(),
                kind: *kind,
                addresses: addresses(list),
            })
            .collect(),
        outward: outward.iter().map(|address| address.parse().unwrap()).collect(),
        routes: 0,
    }
}

#[test]
fn a_burst_of_hints_is_one_look_after_it_is_quiet() {
    let start = Instant::now();
    let mut settling = Settling::default();
    assert_eq!(settling.next_deadline(), None);
    for at in [0, 100, 300] {
        settling.hint(start + ms(at), Hint::Network);
        assert_eq!(settling.handle_deadline(start + ms(at)), None);
    }
    assert_eq!(settling.next_deadline(), Some(start + ms(800)));
    assert_eq!(settling.handle_deadline(start + ms(799)), None);
    assert_eq!(settling.handle_deadline(start + ms(800)), Some(Look::default()));
    assert_eq!(settling.handle_deadline(start + ms(900)), None);
    assert_eq!(settling.next_deadline(), None);
}

#[test]
fn an_interface_that_never_rests_does_not_put_the_look_off() {
    let start = Instant::now();
    let mut settling = Settling::default();
    let mut at = 0;
    while settling.handle_deadline(start + ms(at)).is_none() {
        settling.hint(start + ms(at), Hint::Network);
        at += 50;
        assert!(at <= 2050, "never looked");
    }
    assert_eq!(at, 2000);
}

#[test]
fn sleep_is_told_with_the_look() {
    let start = Instant::now();
    let mut settling = Settling::default();
    settling.hint(start, Hint::Resumed);
    settling.hint(start + ms(100), Hint::Network);
    let slept = Look { resumed: true, connected: false };
    assert_eq!(settling.handle_deadline(start + ms(600)), Some(slept));
    settling.hint(start + ms(700), Hint::Connected);
    let connected = Look { resumed: false, connected: true };
    assert_eq!(settling.handle_deadline(start + ms(1200)), Some(connected));
}

#[test]
fn sleep_is_put_off_until_all_have_left_and_not_for_ever() {
    let start = Instant::now();
    let mut sleep = Sleep::default();
    sleep.may_come(start);
    assert_eq!((sleep, sleep.next_deadline()), (Sleep::Awake, None));
    assert!(sleep.comes(start) && sleep.is_put_off());
    assert!(!sleep.comes(start + ms(1)), "it was said before");
    assert_eq!(sleep.handle_deadline(start + ms(1999)), None);
    assert_eq!(sleep.handle_deadline(start + ms(2000)), Some(Due::Sleeps));
    assert!(!sleep.is_put_off() && sleep != Sleep::Awake);
    // A clock that stands still in sleep went on: nobody sleeps.
    assert_eq!(sleep.handle_deadline(start + ms(31_999)), None);
    assert_eq!(sleep.handle_deadline(start + ms(32_000)), Some(Due::Awake));
    assert_eq!((sleep, sleep.next_deadline()), (Sleep::Awake, None));
    // In good order.
    assert!(sleep.comes(start));
    sleep.may_come(start + ms(30));
    assert_eq!(sleep.next_deadline(), Some(start + ms(30_030)));
    sleep.is_over();
    assert_eq!(sleep.handle_deadline(start + ms(60_000)), None);
    assert!(sleep.comes(start + ms(60_000)));
}

#[test]
fn what_did_not_change_is_no_change_unless_the_machine_slept() {
    let same = picture(&[("eth0", Kind::Wired, "192.0.2.7")], &["192.0.2.7"]);
    assert_eq!(same.change_to(&same.clone(), false), None);
    let change = same.change_to(&same.clone(), true).unwrap();
    assert!(change.resumed && change.way_changed && change.is_online);
    assert_eq!((change.gone, change.new), (vec![], vec![]));
    assert_eq!(change.words, "awake again; online through the cable eth0 (192.0.2.7)");
}

#[test]
fn from_the_cable_to_the_wlan() {
    let before = picture(&[("eth0", Kind::Wired, "192.0.2.7 2001:db8::7")], &["192.0.2.7"]);
    let after = picture(&[("wlan0", Kind::Wireless, "198.51.100.7")], &["198.51.100.7"]);
    let change = before.change_to(&after, false).unwrap();
    assert_eq!(change.gone.len(), 2);
    assert_eq!(change.new, ["198.51.100.7".parse::<IpAddr>().unwrap()]);
    assert!(change.way_changed && change.is_online && !change.resumed);
    assert_eq!(
        change.words,
        "the cable eth0 is gone; the WLAN wlan0 is there; online through the WLAN wlan0 \
         (198.51.100.7)"
    );
}

#[test]
fn a_tunnel_that_takes_the_default_route_changes_the_way_and_takes_nothing_away() {
    let before = picture(&[("eth0", Kind::Wired, "192.0.2.7")], &["192.0.2.7"]);
    let after = picture(
        &[("eth0", Kind::Wired, "192.0.2.7"), ("wg0", Kind::Tunnel, "203.0.113.2")],
        &["203.0.113.2"],
    );
    let change = before.change_to(&after, false).unwrap();
    assert_eq!(change.gone, Vec::<IpAddr>::new());
    assert!(change.way_changed);
    assert!(change.words.ends_with("online through the VPN wg0 (203.0.113.2)"), "{}", change.words);
    // A split tunnel does not.
    let split = Picture { outward: before.outward.clone(), ..after };
    let change = before.change_to(&split, false).unwrap();
    assert!(!change.way_changed);
    assert_eq!(change.new.len(), 1);
    // Nor is a route that comes later a change by itself.
    assert_eq!(split.change_to(&Picture { routes: 1, ..split.clone() }, false), None);
}

#[test]
fn a_path_leads_from_elsewhere_only_where_the_kernel_was_asked_and_says_so() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let paths: Paths = [(ip("::ffff:198.51.100.1"), ip("203.0.113.2"))].into_iter().collect();
    assert!(paths.lead_from_elsewhere(ip("192.0.2.7"), ip("198.51.100.1")));
    assert!(!paths.lead_from_elsewhere(ip("::ffff:203.0.113.2"), ip("198.51.100.1")));
    assert!(!paths.lead_from_elsewhere(ip("192.0.2.7"), ip("198.51.100.2")));
    assert_eq!(paths.source(ip("198.51.100.1")), Some(ip("203.0.113.2")));
}

#[test]
fn no_network_says_what_to_do() {
    let before = picture(&[("eth0", Kind::Wired, "192.0.2.7")], &["192.0.2.7"]);
    let change = before.change_to(&Picture::default(), false).unwrap();
    assert!(!change.is_online);
    assert_eq!(change.words, "the cable eth0 is gone; no network: plug in a cable or join a WLAN");
    let isolated = picture(&[("eth0", Kind::Wired, "192.0.2.7")], &[]);
    assert_eq!(isolated.words(), "connected to a network, but not to the Internet");
}

#[test]
fn this_machine_can_be_looked_at() {
    let picture = system::look().unwrap();
    for interface in &picture.interfaces {
        assert!(!interface.addresses.is_empty(), "{interface:?}");
        assert!(interface.addresses.iter().all(|address| !address.is_loopback()));
    }
    assert!(picture.outward.len() <= 2);
    let again = system::look().unwrap();
    assert_eq!((picture.change_to(&again, false), picture.routes), (None, again.routes));
    // The kernel knows the ways from its own addresses, but for the loopback.
    let ours: Vec<IpAddr> = picture.interfaces.iter().flat_map(|it| it.addresses.clone()).collect();
    let loopback: IpAddr = "127.0.0.1".parse().unwrap();
    let paths = system::paths(&ours.iter().copied().chain([loopback]).collect());
    assert!(ours.iter().all(|address| paths.source(*address).is_some()), "{paths:?}");
    assert_eq!(paths.source(loopback), None);
}

/// The other half runs in a network of its own, where it may do what it wants.
#[test]
fn the_kernel_says_when_an_address_comes_and_goes() {
    let half = "connectivity::tests::hear_an_address_come_and_go";
    let out = std::process::Command::new("unshare")
        .args(["--net", "--map-root-user"])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", half])
        .output()
        .expect("unshare, of util-linux");
    let told = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{told}{}", String::from_utf8_lossy(&out.stderr));
    assert!(told.contains("1 passed"), "{told}");
}

#[tokio::test]
#[ignore = "the other half of the_kernel_says_when_an_address_comes_and_goes"]
async fn hear_an_address_come_and_go() {
    let ip = |line: &str| {
        let done = std::process::Command::new("ip").args(line.split(' ')).status().unwrap();
        assert!(done.success(), "ip {line}");
    };
    // Where there is a network it is the machine's: this is run by its other half alone.
    if system::look().unwrap().is_online() {
        return;
    }
    let mut netlink = Netlink::open().unwrap();
    let nothing = system::look().unwrap();
    assert!(!nothing.is_online() && nothing.outward.is_empty(), "{nothing:?}");
    for (commands, words) in [
        (
            &[
                "link add veth0 type veth peer name veth1",
                "address add 198.51.100.7/24 dev veth0",
                "link set veth1 up",
                "link set veth0 up",
                "route add default via 198.51.100.1",
            ][..],
            "the cable veth0 is there; online through the cable veth0 (198.51.100.7)",
        ),
        (
            &["link delete veth0"],
            "the cable veth0 is gone; no network: plug in a cable or join a WLAN",
        ),
    ] {
        let before = system::look().unwrap();
        commands.iter().for_each(|command| ip(command));
        // Not all is there when the first word comes: the kernel finds the carrier of a cable in
        // its own time, and says so once more.
        let mut seen = String::new();
        let waiting = tokio::time::timeout(Duration::from_secs(20), async {
            while seen != words {
                netlink.changed().await.expect("the kernel is heard");
                let change = before.change_to(&system::look().unwrap(), false);
                seen = change.map(|change| change.words).unwrap_or_default();
            }
        });
        waiting.await.unwrap_or_else(|_| panic!("{words:?} does not come: {seen:?}"));
    }
}

/// The bus, as far as it is asked who owns a name: logind and NetworkManager do, as `:1.1`.
struct Names;

#[zbus::interface(name = "org.freedesktop.DBus")]
impl Names {
    fn get_name_owner(&self, _name: String) -> String {
        ":1.1".into()
    }
}

/// A logind that gives the end of a pipe, and keeps the other.
struct Logind(tokio::sync::mpsc::UnboundedSender<(String, std::io::PipeReader)>);

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Logind {
    fn inhibit(&self, what: &str, who: &str, _why: &str, mode: &str) -> zbus::zvariant::OwnedFd {
        let (ours, theirs) = std::io::pipe().unwrap();
        self.0.send((format!("{what} {mode} {who}"), ours)).unwrap();
        std::os::fd::OwnedFd::from(theirs).into()
    }
}

#[tokio::test]
async fn other_programs_say_that_the_network_switched_and_that_the_machine_sleeps_and_woke_up() {
    let (locks_in, mut locks) = tokio::sync::mpsc::unbounded_channel();
    let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
    let guid = zbus::Guid::generate();
    let theirs = zbus::connection::Builder::unix_stream(theirs).server(guid).unwrap().p2p();
    let theirs = theirs.serve_at("/org/freedesktop/DBus", Names).unwrap();
    let theirs = theirs.serve_at("/org/freedesktop/login1", Logind(locks_in)).unwrap();
    let ours = zbus::connection::Builder::unix_stream(ours).p2p();
    let (theirs, ours) = tokio::try_join!(theirs.build(), ours.build()).unwrap();
    let (tell, mut heard) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move { hints::listen(&ours, tell).await });
    let mut next = async || {
        let next = tokio::time::timeout(Duration::from_secs(20), heard.recv()).await;
        next.expect("something is heard").expect("it listens on")
    };
    let lock = next().await;
    assert!(matches!(lock, hints::Heard::Lock(_)), "{lock:?}");
    assert_eq!(locks.recv().await.unwrap().0, "sleep delay SIP Witch");

    let login = ("/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForSleep");
    let manager =
        ("/org/freedesktop/NetworkManager", "org.freedesktop.NetworkManager", "StateChanged");
    let from = |sender, (path, interface, name): (&'static str, &'static str, &'static str)| {
        zbus::Message::signal(path, interface, name).unwrap().sender(sender).unwrap()
    };
    let signal = |of| from(":1.1", of);
    // Of another object, no truth value at all, and of somebody else: none of them counts.
    let elsewhere = ("/elsewhere", login.1, login.2);
    for nonsense in [
        signal(elsewhere).build(&(false,)),
        signal(login).build(&("false",)),
        signal(login).build(&()),
        signal(manager).build(&(-70_i32,)),
        from(":1.2", login).build(&(true,)),
        from(":1.2", manager).build(&(70_u32,)),
    ] {
        theirs.send(&nonsense.unwrap()).await.unwrap();
    }
    theirs.send(&signal(login).build(&(true,)).unwrap()).await.unwrap();
    let sleeps = next().await;
    assert!(matches!(sleeps, hints::Heard::Sleeps), "{sleeps:?}");
    theirs.send(&signal(login).build(&(false,)).unwrap()).await.unwrap();
    let awake = next().await;
    assert!(matches!(awake, hints::Heard::Hint(Hint::Resumed)), "{awake:?}");
    // A lock is good for one sleep.
    let lock = next().await;
    assert!(matches!(lock, hints::Heard::Lock(_)), "{lock:?}");
    for (state, hint) in [(60_u32, Hint::Network), (70, Hint::Connected)] {
        theirs.send(&signal(manager).build(&(state,)).unwrap()).await.unwrap();
        let told = next().await;
        assert!(matches!(told, hints::Heard::Hint(told) if told == hint), "{told:?}");
    }
}
