// SPDX-License-Identifier: GPL-3.0-or-later
//! The service under test, with everything it needs and nothing it shares.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use sipwitch_simulators as simulators;
use tempfile::TempDir;

use crate::program::{in_home, new_home, ours};
use crate::{Desk, PATIENCE, PrivateBus, Program, net};

/// How the service is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// By the test, on a private bus.
    Directly,
    /// By the bus, when its name is first asked for.
    ByActivation,
    /// By the test, without a bus.
    WithoutBus,
}

/// What kind of house is wanted.
#[derive(Debug, Clone)]
pub struct Plan {
    start: Start,
    at: IpAddr,
    settings: String,
    extensions: Vec<(String, Option<String>)>,
    disk: Option<u32>,
    own_choice: bool,
    system_bus: Option<String>,
}

impl Plan {
    /// How the service is started; by the test on a private bus unless said otherwise.
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// The address the service listens on; one of this test alone unless said otherwise.
    #[must_use]
    pub fn at(mut self, at: IpAddr) -> Self {
        self.at = at;
        self
    }

    /// Lines of the configuration file.
    #[must_use]
    pub fn settings(mut self, lines: &str) -> Self {
        self.settings.push_str(lines);
        self.settings.push('\n');
        self
    }

    /// Phones of the same user on loopback must prove a password like all others.
    #[must_use]
    pub fn everybody_needs_a_password(self) -> Self {
        self.settings("[registrar]\ntrust-own-loopback = false")
    }

    /// The service is not told where to listen.
    #[must_use]
    pub fn where_it_likes(mut self) -> Self {
        self.own_choice = true;
        self
    }

    /// The state of the service lies on a disk of so many kilobytes.
    #[must_use]
    pub fn disk(mut self, kilobytes: u32) -> Self {
        self.disk = Some(kilobytes);
        self
    }

    /// The bus of the machine, as the service sees it; none unless said otherwise.
    #[must_use]
    pub fn system_bus(mut self, bus: &crate::SystemBus) -> Self {
        self.system_bus = Some(bus.address.clone());
        self
    }

    /// The configuration file of this plan.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.settings
    }

    /// Extensions without a password.
    #[must_use]
    pub fn extensions(mut self, numbers: &[&str]) -> Self {
        self.extensions.extend(numbers.iter().map(|&number| (number.to_owned(), None)));
        self
    }

    /// An extension with a password.
    #[must_use]
    pub fn extension(mut self, number: &str, password: &str) -> Self {
        self.extensions.push((number.into(), Some(password.into())));
        self
    }

    /// Builds the house and starts nothing but its bus.
    ///
    /// # Errors
    /// Something is not installed or built.
    pub fn lay_out(self) -> Result<House> {
        let home = new_home()?;
        let at = net::server_place(self.at)?;
        let executable = ours("sipwitchd", "sipwitch-service")?;
        let config = home.path().join(".config/sipwitch/config.toml");
        std::fs::create_dir_all(home.path().join(".config/sipwitch"))?;
        std::fs::create_dir_all(home.path().join(".local/state/sipwitch"))?;
        std::fs::write(&config, &self.settings)?;
        let notifications = UnixDatagram::bind(home.path().join("notify"))?;
        notifications.set_read_timeout(Some(PATIENCE))?;
        let mut house = House {
            at,
            notifications,
            plan: self,
            config,
            executable,
            service: None,
            desk: None,
            bus: None,
            home,
        };
        let line = match house.plan.start {
            Start::WithoutBus => return Ok(house),
            Start::Directly => None,
            Start::ByActivation => {
                let words = house.arguments("session").join(" ");
                Some(format!("{} {words}", house.executable.display()))
            }
        };
        house.bus = Some(PrivateBus::start(house.home.path(), line.as_deref())?);
        house.desk = Some(house.new_desk()?);
        Ok(house)
    }

    /// Builds the house and waits until the service answers.
    ///
    /// # Errors
    /// Something is not installed or built, or the service does not come up.
    pub fn build(self) -> Result<House> {
        let mut house = self.lay_out()?;
        house.open()?;
        Ok(house)
    }
}

/// A running service and what belongs to it. Everything ends with this value.
#[derive(Debug)]
pub struct House {
    /// Where the service listens, for UDP and TCP.
    pub at: SocketAddr,
    plan: Plan,
    config: PathBuf,
    executable: PathBuf,
    service: Option<Program>,
    desk: Option<Desk>,
    notifications: UnixDatagram,
    /// The bus, if there is one.
    pub bus: Option<PrivateBus>,
    /// The home of the service. Declared last: it is removed when all others have ended.
    home: TempDir,
}

impl House {
    /// A house like most.
    #[must_use]
    pub fn plan() -> Plan {
        Plan {
            start: Start::Directly,
            at: net::loopback(),
            settings: String::new(),
            extensions: Vec::new(),
            disk: None,
            own_choice: false,
            system_bus: None,
        }
    }

    /// A program on the bus of the house.
    ///
    /// # Panics
    /// The house has no bus.
    #[must_use]
    pub fn desk(&self) -> &Desk {
        self.desk.as_ref().expect("this house was planned with a bus")
    }

    /// Starts the service of a house that was laid out, and adds the extensions of the plan.
    ///
    /// # Errors
    /// The service does not come up or refuses an extension.
    pub fn open(&mut self) -> Result<()> {
        if self.plan.start == Start::ByActivation {
            self.answers()?;
        } else {
            self.start_service()?;
        }
        ensure!(
            self.desk.is_some() || self.plan.extensions.is_empty(),
            "extensions are added over the bus"
        );
        for (number, password) in &self.plan.extensions {
            self.desk().add_extension(number, password.as_deref())?;
        }
        Ok(())
    }

    /// Another program on the bus of the house.
    ///
    /// # Errors
    /// The house has no bus.
    pub fn new_desk(&self) -> Result<Desk> {
        Desk::open(&self.bus.as_ref().context("the house has no bus")?.address)
    }

    /// The home of the service.
    #[must_use]
    pub fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// The configuration file of the service.
    #[must_use]
    pub fn config(&self) -> &std::path::Path {
        &self.config
    }

    /// The file with the state of the service.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.home.path().join(".local/state/sipwitch/state.db")
    }

    /// The service's process, if the test started it.
    ///
    /// # Errors
    /// The bus started it.
    pub fn service(&mut self) -> Result<&mut Program> {
        self.service.as_mut().context("the service was not started by the test, or has ended")
    }

    /// What the service has said.
    #[must_use]
    pub fn log(&self) -> String {
        match (&self.service, &self.bus) {
            (Some(service), _) => service.said.all().join("\n"),
            (None, Some(bus)) => bus.program.said.all().join("\n"),
            (None, None) => String::new(),
        }
    }

    /// The service's command, ready to be started.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = match self.plan.disk {
            None => in_home(&self.executable, self.home.path()),
            Some(kilobytes) => {
                // A mount of its own, which only the service sees; no root is needed.
                let mut command = in_home("unshare", self.home.path());
                command.args(["--user", "--map-current-user", "--keep-caps", "--mount"]);
                command.args([
                    "sh",
                    "-c",
                    r#"mount -t tmpfs -o "size=$0k" tmpfs "$1" && shift && exec "$@""#,
                ]);
                command
                    .arg(kilobytes.to_string())
                    .arg(self.home.path().join(".local/state/sipwitch"));
                command.arg(&self.executable);
                command
            }
        };
        if let Some(bus) = &self.bus {
            command.env("DBUS_SESSION_BUS_ADDRESS", &bus.address);
        }
        if let Some(address) = &self.plan.system_bus {
            command.env("DBUS_SYSTEM_BUS_ADDRESS", address);
        }
        command.env("NOTIFY_SOCKET", self.home.path().join("notify"));
        command.args(self.arguments(if self.bus.is_some() { "session" } else { "none" }));
        command
    }

    fn arguments(&self, bus: &str) -> Vec<String> {
        let mut words = vec!["--bus".into(), bus.into(), "--config".into()];
        words.push(self.config.display().to_string());
        if !self.plan.own_choice {
            for transport in ["udp", "tcp"] {
                words.push("--listen".into());
                words.push(format!("{transport}:{}", self.at));
            }
        }
        words
    }

    /// Waits until the service, started by the test, tells its starter something (sd_notify).
    ///
    /// # Errors
    /// It did not tell in time.
    pub fn notified(&self, what: &str) -> Result<()> {
        let mut told = String::new();
        let mut buffer = [0; 4096];
        loop {
            let length = self
                .notifications
                .recv(&mut buffer)
                .with_context(|| format!("{what} was not told, but {told:?}"))?;
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.lines().any(|line| line == what) {
                return Ok(());
            }
            told.push_str(&text);
        }
    }

    /// Starts the service, again if it has ended, and waits until it answers.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start_service(&mut self) -> Result<()> {
        let program = Program::start("sipwitchd", &mut self.command())?;
        self.service = Some(program);
        self.answers()
    }

    /// Kills the service as a power cut would.
    ///
    /// # Errors
    /// The test did not start it.
    pub fn kill_service(&mut self) -> Result<()> {
        let mut service = self.service.take().context("the service was not started by the test")?;
        service.signal(nix::sys::signal::Signal::SIGKILL)?;
        service.wait_for_end(PATIENCE).map(|_| ())
    }

    /// Asks the service to end, and waits until it has.
    ///
    /// # Errors
    /// It does not end.
    pub fn stop_service(&mut self) -> Result<ExitStatus> {
        let mut service = self.service.take().context("the service was not started by the test")?;
        service.signal(nix::sys::signal::Signal::SIGTERM)?;
        service.wait_for_end(PATIENCE)
    }

    /// Waits until the service answers: its properties on the bus, OPTIONS without one.
    fn answers(&mut self) -> Result<()> {
        if self.bus.is_some() {
            if self.plan.start == Start::Directly {
                self.name_is_owned()?;
            }
            let service = self.desk().service()?;
            let addresses =
                self.desk().wait("the addresses of the service", service.addresses())??;
            if self.plan.own_choice {
                let first = addresses.iter().find_map(|address| address.strip_prefix("udp:"));
                self.at = first.context("it listens for UDP")?.parse()?;
            }
            ensure!(
                addresses.contains(&format!("udp:{}", self.at)),
                "the service listens on {addresses:?} instead of {}",
                self.at
            );
            return Ok(());
        }
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(service) = &mut self.service
                && !service.is_running()
            {
                bail!("the service has ended:\n{}", service.tail());
            }
            // Each refusal of the closed port is an event; the service is tried again after it.
            let account = simulators::Account::new("doorbell");
            if let Ok(mut phone) =
                simulators::Phone::new(simulators::Transport::Tcp, self.at.ip(), self.at, account)
            {
                let answer = phone
                    .ask("OPTIONS", &format!("sip:{}", self.at), &[], b"")
                    .map_err(anyhow::Error::msg)?;
                ensure!(answer.status() == Some(200), "OPTIONS got {answer:?}");
                return Ok(());
            }
            if let Some(service) = &mut self.service {
                let mut said = service.said.clone();
                said.skip();
                said.wait(Duration::from_millis(50), |_| Some(()));
            }
        }
        bail!("the service at {} does not answer", self.at)
    }

    /// Waits until the name is owned, or the service has ended.
    fn name_is_owned(&mut self) -> Result<()> {
        use futures_util::StreamExt as _;
        use sipwitch_dbus_interfaces::names::BUS_NAME;
        let desk = self.desk.as_ref().context("a desk was opened")?;
        let proxy = desk.wait("the bus itself", zbus::fdo::DBusProxy::new(desk.connection()))??;
        let waiting = async {
            let mut changes = proxy.receive_name_owner_changed_with_args(&[(0, BUS_NAME)]).await?;
            while !proxy.name_has_owner(BUS_NAME.try_into()?).await? {
                changes.next().await.context("the bus has gone")?;
            }
            anyhow::Ok(())
        };
        // Whichever comes first: the name, or the end of the process.
        let service = self.service.as_mut().context("the service was started")?;
        let mut said = service.said.clone();
        let (tell, gone) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || tell.send(said.wait(PATIENCE, |_| None::<()>)));
        let either = async {
            tokio::select! {
                owned = waiting => owned,
                _ = gone => Err(anyhow!("it has ended, or has not asked for its name")),
            }
        };
        let owned = desk.wait_within(2 * PATIENCE, "the name of the service", either);
        let service = self.service.as_mut().context("the service was started")?;
        owned
            .and_then(|result| result)
            .with_context(|| format!("the service said:\n{}", service.tail()))
    }

    /// Memory of the service that is resident, in bytes.
    ///
    /// # Errors
    /// The test did not start it, or it has ended.
    pub fn memory(&mut self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.service()?.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kilobytes.context("the process has memory")? * 1024)
    }

    /// Runs the command line tool to its end.
    ///
    /// # Errors
    /// It is not built or does not end.
    pub fn sipwitch(&self, arguments: &[&str]) -> Result<(ExitStatus, String)> {
        let mut command = in_home(ours("sipwitch", "sipwitch-cli")?, self.home.path());
        if let Some(bus) = &self.bus {
            command.env("DBUS_SESSION_BUS_ADDRESS", &bus.address);
        }
        command.args(arguments);
        let mut program = Program::start("sipwitch", &mut command)?;
        let status = program.wait_for_end(PATIENCE)?;
        Ok((status, program.said.all().join("\n")))
    }
}
