// SPDX-License-Identifier: GPL-3.0-or-later
//! Hosts on a network of their own: network namespaces around one switch. What a test does there, a
//! cable pulled or an address changed, nobody outside hears of, and all of it goes when the value is
//! dropped. Needs root, as CI has.

use std::ffi::OsStr;
use std::fs::File;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow, ensure};
use nix::sched::{CloneFlags, setns};

use crate::program::{foreign, in_home};

/// A switch; hosts are plugged into it.
#[derive(Debug)]
pub struct Network {
    /// The namespace of the switch.
    switch: Namespace,
    hosts: AtomicU32,
}

/// A host on a network, with one interface, `eth0`, beside its loopback.
#[derive(Debug)]
pub struct Host {
    /// The address it was given first.
    pub address: Ipv4Addr,
    namespace: Namespace,
    /// The other end of its cable.
    port: String,
    switch: String,
    visitor: Visitor,
}

/// A thread that is on a host. A network belongs to a thread, children are born into that of their
/// thread, and they die with it.
#[derive(Debug)]
struct Visitor {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

type Job = Box<dyn FnOnce() + Send>;

/// Gone when it is dropped, with all interfaces in it.
#[derive(Debug)]
struct Namespace(String);

impl Network {
    /// A network without hosts.
    ///
    /// # Errors
    /// The kernel refuses: there is no root, or no `ip`.
    pub fn new() -> Result<Self> {
        let switch = Namespace::new()?;
        switch.ip(&["link", "add", "switch", "type", "bridge", "forward_delay", "0"])?;
        switch.ip(&["link", "set", "switch", "up"])?;
        Ok(Self { switch, hosts: AtomicU32::new(0) })
    }

    /// A host with this address, which sees all others of the same /24.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn host(&self, address: Ipv4Addr) -> Result<Host> {
        let namespace = Namespace::new()?;
        let port = self.cable(&namespace, "eth0")?;
        let visitor = Visitor::new(&namespace)?;
        let switch = self.switch.0.clone();
        let host = Host { address, namespace, port, switch, visitor };
        host.add_address(address)?;
        Ok(host)
    }

    /// Gives a host of another network an interface to this one too, such as a tunnel is to what it
    /// leads to. It is gone with `ip link del`, or when its host is.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn join(&self, host: &Host, interface: &str, address: Ipv4Addr) -> Result<()> {
        self.cable(&host.namespace, interface)?;
        host.ip(&["addr", "add", &format!("{address}/24"), "dev", interface])
    }

    /// Lays a cable from a port of the switch, whose name it gives, to an interface there.
    fn cable(&self, namespace: &Namespace, interface: &str) -> Result<String> {
        let port = format!("port{}", self.hosts.fetch_add(1, Ordering::Relaxed));
        let peer = ["peer", "name", interface, "netns", &namespace.0];
        self.switch.ip(&[&["link", "add", &port, "type", "veth"][..], &peer].concat())?;
        self.switch.ip(&["link", "set", &port, "master", "switch", "up"])?;
        namespace.ip(&["link", "set", interface, "up"])?;
        Ok(port)
    }
}

impl Host {
    /// A command that runs on this host, with a home of its own.
    ///
    /// # Errors
    /// There is no `ip`.
    pub fn command(&self, program: impl AsRef<OsStr>, home: &Path) -> Result<Command> {
        let mut command = in_home(ip()?, home);
        command.args(["netns", "exec", &self.namespace.0]).arg(program);
        Ok(command)
    }

    /// Does something on this host: what it starts and opens is there, and ends with the host.
    ///
    /// # Errors
    /// The host cannot be entered, or what it does fails.
    pub fn run<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (tell, told) = mpsc::channel();
        self.visitor.send(Box::new(move || {
            let _ = tell.send(act());
        }))?;
        told.recv().context("it panicked")?
    }

    /// Pulls the cable: the host sees its interface go down.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn unplug(&self) -> Result<()> {
        run(&["-n", &self.switch, "link", "set", &self.port, "down"])
    }

    /// Plugs the cable in again.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn plug(&self) -> Result<()> {
        run(&["-n", &self.switch, "link", "set", &self.port, "up"])
    }

    /// Gives it one more address.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn add_address(&self, address: Ipv4Addr) -> Result<()> {
        self.ip(&["addr", "add", &format!("{address}/24"), "dev", "eth0"])
    }

    /// Takes an address away, and with it those of its net that came after it.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn remove_address(&self, address: Ipv4Addr) -> Result<()> {
        self.ip(&["addr", "del", &format!("{address}/24"), "dev", "eth0"])
    }

    /// Does anything else that ip(8) can, on this host.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn ip(&self, arguments: &[&str]) -> Result<()> {
        self.namespace.ip(arguments)
    }
}

impl Visitor {
    fn new(namespace: &Namespace) -> Result<Self> {
        let namespace = File::open(Path::new("/run/netns").join(&namespace.0))?;
        let (jobs, to_do) = mpsc::channel::<Job>();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let _ = tell.send(setns(namespace, CloneFlags::CLONE_NEWNET));
            to_do.into_iter().for_each(|job| job());
        });
        told.recv()?.context("enter a network (as root?)")?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    fn send(&self, job: Job) -> Result<()> {
        let jobs = self.jobs.as_ref().context("the host is gone")?;
        jobs.send(job).map_err(|_| anyhow!("the host is gone"))
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.jobs = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Namespace {
    fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sipwitch-{}-{number}", std::process::id());
        // What a test of the same number left when it was killed.
        if Path::new("/run/netns").join(&name).exists() {
            run(&["netns", "del", &name])?;
        }
        run(&["netns", "add", &name])?;
        let namespace = Self(name);
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    fn ip(&self, arguments: &[&str]) -> Result<()> {
        run(&[&["-n", &self.0], arguments].concat())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A test that fails shall say why it did, not why this did.
        let _ = run(&["netns", "del", &self.0]);
    }
}

fn ip() -> Result<std::path::PathBuf> {
    foreign("ip", "iproute2")
}

fn run(arguments: &[&str]) -> Result<()> {
    let output = Command::new(ip()?)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("run ip {}", arguments.join(" ")))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {} (as root?): {}", arguments.join(" "), said.trim());
    Ok(())
}
