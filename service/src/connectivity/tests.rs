// SPDX-License-Identifier: GPL-3.0-or-later

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;

use super::{
    netlink::Netlink,
    picture::{Interface, Kind, Picture},
    settling::{Look, Settling},
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
    assert_eq!(settling.handle_deadline(start + ms(800)), Some(Look { resumed: false }));
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
    assert_eq!(settling.handle_deadline(start + ms(600)), Some(Look { resumed: true }));
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
    assert_eq!(picture.change_to(&system::look().unwrap(), false), None);
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

#[tokio::test]
async fn other_programs_say_that_the_network_switched_and_that_the_machine_woke_up() {
    let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
    let guid = zbus::Guid::generate();
    let theirs = zbus::connection::Builder::unix_stream(theirs).server(guid).unwrap().p2p();
    let ours = zbus::connection::Builder::unix_stream(ours).p2p();
    let (theirs, ours) = tokio::try_join!(theirs.build(), ours.build()).unwrap();
    let mut hints = hints::listen(&ours).await.unwrap();
    let login = ("/org/freedesktop/login1", "org.freedesktop.login1.Manager", "PrepareForSleep");
    let manager =
        ("/org/freedesktop/NetworkManager", "org.freedesktop.NetworkManager", "StateChanged");
    let signal = |(path, interface, name): (&'static str, &'static str, &'static str)| {
        zbus::Message::signal(path, interface, name).unwrap().sender(":1.1").unwrap()
    };
    // Of another object, about to sleep, and no truth value at all: none of them is a hint.
    let elsewhere = ("/elsewhere", login.1, login.2);
    for nonsense in [
        signal(elsewhere).build(&(false,)),
        signal(login).build(&(true,)),
        signal(login).build(&("false",)),
        signal(login).build(&()),
    ] {
        theirs.send(&nonsense.unwrap()).await.unwrap();
    }
    for (message, hint) in [
        (signal(login).build(&(false,)), Hint::Resumed),
        (signal(manager).build(&(70_u32,)), Hint::Network),
    ] {
        theirs.send(&message.unwrap()).await.unwrap();
        let next = tokio::time::timeout(Duration::from_secs(20), hints.next()).await.unwrap();
        assert_eq!(next, Some(hint));
    }
}
