// SPDX-License-Identifier: GPL-3.0-or-later
//! The loop around the switchboard: sockets, clock, bus, store and signals.
//!
//! Nothing is decided here. What comes in from anywhere goes to the switchboard, and what the
//! switchboard has to send or to tell goes out before anything else is waited for.

use std::{
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use sipwitch_core::number;
use sipwitch_idle::Rest;
use sipwitch_sip::{
    driver::{Credentials, Driver, DriverSettings, Incoming, Listen, NamesSettings, TlsSettings},
    flow::Transport,
    wire::Limits,
};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::{
    accounts::{self, Folder},
    alarm::Alarm,
    anchors::OpenAnchors,
    arguments::Arguments,
    bus::{self, BusKind, Gone},
    config::{
        self, Config,
        listen::{self, ListenAddress},
    },
    connectivity::{Hints, Looked, Monitor, News, system},
    errands::Errands,
    lifecycle::{Directories, Lifecycle, Signal},
    logging::Logging,
    memory::{self, Rush},
    providers::{self, ProviderId, Providers},
    rules::{self, RuleBook},
    socket_owner::SocketOwners,
    store::{self, Bounds, Place, Report, Store},
    switchboard::{
        Inner, Now, Parts, Switchboard,
        ask::{Ask, Refusal},
        errand::Errand,
        notice::Notice,
        settings::{Circumstances, Listening, Settings},
    },
};

/// Asks that may wait.
const ASKS: usize = 512;
/// Notices that a slow listener may be behind; then it is told everything anew.
const NOTICES: usize = 512;
/// How long phones have to answer our BYE when the service stops.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long the numbering plans are kept after they were needed: they take five megabytes, and six
/// milliseconds to come again.
const KEEP_PLANS: Duration = Duration::from_secs(600);

/// Runs the service until it is told to stop.
///
/// # Errors
/// Why it could not start, or why it had to end.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    if let Some(file) = &arguments.check_config {
        Config::load(file)?;
        return Ok(());
    }
    if !arguments.check_provider.is_empty() {
        return check_providers(&arguments.check_provider);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime cannot start")?;
    runtime.block_on(serve(arguments))
}

/// Tells what is wrong with files of providers, one line for each thing.
fn check_providers(files: &[PathBuf]) -> anyhow::Result<()> {
    let mut refused = 0;
    for file in files {
        match providers::check(file) {
            Ok(entry) => entry.warnings.iter().for_each(|mistake| {
                eprintln!("{}:{mistake} (has no effect)", file.display());
            }),
            Err(error) => {
                refused += 1;
                eprintln!("{error}");
            }
        }
    }
    anyhow::ensure!(refused == 0, "{refused} of {} files refused", files.len());
    Ok(())
}

async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let directories = Directories::of_user(arguments.state.clone())?;
    let (config, file) = read_config(&arguments, &directories)?;
    let logging = Logging::start(&config.log)?;
    let lifecycle = Lifecycle::begin(&directories, &file)?;

    let mut driver = Driver::new(driver_settings(&config));
    driver.set_tls(tls_settings(&config));
    let Listened { listening, wildcards } = listen_everywhere(&mut driver, &arguments, &config)?;
    let circumstances = Circumstances {
        listening,
        hostname: nix::unistd::gethostname()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        uid: nix::unistd::getuid().as_raw(),
        configuration_file: file.display().to_string(),
        region: config::locale::region(|name| std::env::var(name).ok()),
    };
    let settings = Settings::of(&config, &circumstances);
    let opened = Store::open(
        &Place::File(store::path_in(&directories.state)),
        &bounds(&config),
        settings.domain(),
        now().unix_us,
    )?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
    let owners = SocketOwners::open()
        .inspect_err(|error| {
            tracing::warn!("programs of yours on this machine need a password: {error}");
        })
        .ok();
    let (inner_in, inner) = mpsc::unbounded_channel();
    let (notices, _) = broadcast::channel(NOTICES);
    let (asks_in, asks) = mpsc::channel(ASKS);
    let is_watched = !matches!(arguments.bus, BusKind::None);
    let errands = Errands::new(names_settings(&config), inner_in.clone());
    let switchboard = Switchboard::new(
        now(),
        Parts {
            settings,
            store: opened.store,
            loaded: opened.loaded,
            seed,
            anchors: Box::new(OpenAnchors::new(inner_in.clone())),
            owners,
            inner: inner_in,
            is_watched,
        },
    );
    let house = House {
        switchboard,
        driver,
        asks,
        reports: opened.reports,
        inner,
        errands,
        accounts: accounts(&directories, &config),
        notices: notices.clone(),
        lifecycle,
        logging,
        config,
        rules: RuleBook::open(rules::path_in(&directories.config)),
        file,
        listen: arguments.listen,
        circumstances,
        wildcards,
        monitor: None,
        hints: if is_watched { Hints::SystemBus } else { Hints::Kernel },
    };
    // The bus asks the switchboard for everything before it takes the name, so both must run.
    let (gone_in, gone) = oneshot::channel();
    if is_watched {
        let subscribed = notices.subscribe();
        let kind = arguments.bus;
        let (providers, library) = providers::open(directories.providers());
        tokio::spawn(library.run());
        tokio::spawn(async move {
            let _ = gone_in.send(serve_bus(kind, asks_in, subscribed, providers).await);
        });
        drop(notices);
        house.run(Some(gone)).await
    } else {
        drop(notices);
        let _keep = (asks_in, gone_in);
        house.run(None).await
    }
}

async fn serve_bus(
    kind: BusKind,
    asks: mpsc::Sender<Ask>,
    notices: broadcast::Receiver<Notice>,
    providers: Providers,
) -> anyhow::Result<Gone> {
    match bus::open(kind, asks, notices, providers).await? {
        Some(serving) => Ok(serving.run().await),
        None => Ok(Gone::Bus),
    }
}

/// The time.
fn now() -> Now {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { instant: Instant::now(), unix_us: i64::try_from(since.as_micros()).unwrap_or(i64::MAX) }
}

fn read_config(
    arguments: &Arguments,
    directories: &Directories,
) -> anyhow::Result<(Config, PathBuf)> {
    let (config, file) = match &arguments.config {
        Some(file) => (Config::load(file)?, file.clone()),
        None => {
            let file = config::path_in(&directories.config);
            (Config::load_if_present(&file)?.unwrap_or_default(), file)
        }
    };
    Ok((listening_at(config, &arguments.listen), file))
}

/// The configuration with the addresses of the command line, if there are any: they come before
/// those of the file, now and whenever the file is read again.
fn listening_at(mut config: Config, listen: &[ListenAddress]) -> Config {
    if !listen.is_empty() {
        config.sip.listen = listen.to_vec();
        // Who names an address on the command line means it.
        config.sip.lan |= listen.iter().any(|at| !at.address.is_loopback());
    }
    config
}

fn accounts(directories: &Directories, config: &Config) -> accounts::Desk {
    let folder = Folder::of_user(&directories.config);
    let passwords = directories.state.join("passwords.toml");
    let providers = directories.providers();
    let find = move |id: &ProviderId| match providers.find(id) {
        Ok(found) => Ok(found.map(|entry| entry.provider)),
        Err(refused) => Err(refused.to_string()),
    };
    accounts::Desk::new(folder, Box::new(find), config.accounts.passwords, passwords)
}

fn driver_settings(config: &Config) -> DriverSettings {
    let limits = &config.limits;
    DriverSettings {
        limits: Limits {
            message_bytes: limits.message_bytes.value() as usize,
            headers: limits.header_fields.value() as usize,
            ..Limits::default()
        },
        connections: limits.connections.value() as usize,
        connections_of_source: limits.connections_per_source.value() as usize,
        idle: Duration::from_secs(limits.idle_connection_seconds.value().into()),
        whole_message: Duration::from_secs(limits.half_message_seconds.value().into()),
        ..DriverSettings::default()
    }
}

fn tls_settings(config: &Config) -> TlsSettings {
    let sip = &config.sip;
    TlsSettings {
        own: sip.tls_certificate.is_set().then(|| Credentials {
            certificate: sip.tls_certificate.as_path().to_owned(),
            key: sip.tls_key.as_path().to_owned(),
        }),
        authorities: sip.tls_authorities.iter().map(|file| file.as_path().to_owned()).collect(),
        platform: true,
    }
}

fn names_settings(config: &Config) -> NamesSettings {
    let servers = config.names.servers.iter().map(|server| server.socket()).collect();
    let anchors = &config.names.trust_anchors;
    let trust_anchors = anchors.is_set().then(|| anchors.as_path().to_owned());
    NamesSettings { servers, trust_anchors, ..NamesSettings::default() }
}

/// How many past texts are remembered for each past call that is.
const TEXTS_PER_CALL: u32 = 10;

fn bounds(config: &Config) -> Bounds {
    let days = |days: u32| Duration::from_secs(u64::from(days) * 24 * 3600);
    Bounds {
        calls: config.history.keep.value(),
        calls_age: days(config.history.keep_days.value()),
        texts: match config.history.keep.value() {
            // Those that were not read.
            0 => Bounds::default().texts,
            calls => calls.saturating_mul(TEXTS_PER_CALL),
        },
        messages: config.messages.keep.value(),
        messages_per_extension: config.messages.keep_per_extension.value(),
        ..Bounds::default()
    }
}

/// What listening came to.
struct Listened {
    listening: Vec<Listening>,
    wildcards: Vec<SocketAddr>,
}

/// Opens all sockets. Transports at one address share the port.
fn listen_everywhere(
    driver: &mut Driver,
    arguments: &Arguments,
    config: &Config,
) -> anyhow::Result<Listened> {
    let addresses =
        if arguments.listen.is_empty() { config.listen() } else { arguments.listen.clone() };
    let mut wanted: Vec<Listen> = Vec::new();
    for at in &addresses {
        let transport = match at.transport {
            listen::Transport::Tcp => Transport::Tcp,
            listen::Transport::Tls => Transport::Tls,
            listen::Transport::Udp => Transport::Udp,
        };
        let address = at.socket(match at.transport {
            listen::Transport::Tls => listen::SIPS_PORT,
            listen::Transport::Tcp | listen::Transport::Udp => listen::SIP_PORT,
        });
        let exact = matches!(at.port, listen::Port::Exactly(_));
        let same = |have: &&mut Listen| {
            (have.address, have.exact) == (address, exact) && !have.transports.contains(&transport)
        };
        match wanted.iter_mut().find(same) {
            Some(have) => have.transports.push(transport),
            None => wanted.push(Listen { transports: vec![transport], address, exact }),
        }
    }
    let (mut listening, mut wildcards) = (Vec::new(), Vec::new());
    for listen in &wanted {
        let got = driver.bind(listen)?;
        let datagrams = got.iter().find(|(transport, _)| *transport == Transport::Udp);
        if let Some((_, at)) = datagrams.filter(|_| listen.address.ip().is_unspecified()) {
            wildcards.push(SocketAddr::new(listen.address.ip(), at.port()));
        }
        listening
            .extend(got.into_iter().map(|(transport, address)| Listening { transport, address }));
    }
    Ok(Listened { listening, wildcards })
}

/// Everything that runs.
struct House {
    switchboard: Switchboard,
    driver: Driver,
    asks: mpsc::Receiver<Ask>,
    reports: mpsc::UnboundedReceiver<Report>,
    inner: mpsc::UnboundedReceiver<Inner>,
    errands: Errands,
    accounts: accounts::Desk,
    notices: broadcast::Sender<Notice>,
    lifecycle: Lifecycle,
    logging: Logging,
    config: Config,
    rules: RuleBook,
    file: PathBuf,
    /// The addresses that the command line named.
    listen: Vec<ListenAddress>,
    circumstances: Circumstances,
    /// Wildcards for datagrams, which stand for all addresses of this machine.
    wildcards: Vec<SocketAddr>,
    /// Watches the network, once there is a need of one.
    monitor: Option<Monitor>,
    hints: Hints,
}

impl House {
    async fn run(
        mut self,
        mut bus: Option<oneshot::Receiver<anyhow::Result<Gone>>>,
    ) -> anyhow::Result<()> {
        for at in &self.circumstances.listening {
            tracing::info!("listening on {}", at.words());
        }
        self.lifecycle.ready(&self.circumstances.listening)?;
        self.accounts.read(now(), &mut self.switchboard);
        self.use_rules();
        let mut batch = Vec::new();
        // Calls stay when the requests that began them are forgotten, so each has its own tide.
        let (mut requests, mut calls) = (Rush::default(), Rush::default());
        let mut rest = Rest::after(Instant::now());
        // When the numbering plans are forgotten, once they were needed.
        let mut forget: Option<Instant> = None;
        let mut farewell: Option<Instant> = None;
        let mut result = Ok(());
        let mut alarm = Alarm::new().context("there is no clock")?;
        loop {
            self.watch_network();
            self.flush();
            let time = now();
            // We are awake: what would wake us soon need not.
            if self.switchboard.next_deadline().is_some_and(|due| Alarm::is_ripe(due, time.instant))
            {
                self.switchboard.handle_deadline(time);
                self.flush();
            }
            self.let_sleep();
            let have_requests_ebbed = requests.is_over(self.switchboard.request_count());
            let have_calls_ebbed = calls.is_over(self.switchboard.leg_count());
            if have_requests_ebbed || have_calls_ebbed {
                self.switchboard.shrink();
                memory::give_back();
            }
            if rest.has_come(time.instant) {
                sipwitch_idle::let_program_go();
            }
            if number::is_loaded() {
                let at = *forget.get_or_insert_with(|| time.instant + KEEP_PLANS);
                if at <= time.instant {
                    forget = None;
                    number::forget();
                    memory::give_back();
                }
            }
            if let Some(until) = farewell
                && (self.switchboard.is_quiet() || until <= time.instant)
            {
                break;
            }
            let deadline = [self.switchboard.next_deadline(), farewell, forget, rest.deadline()]
                .into_iter()
                .flatten()
                .min();
            if let Some(deadline) = deadline {
                alarm.set(deadline, time.instant).context("the clock cannot be set")?;
            }
            let mut is_stirred = true;
            tokio::select! {
                () = self.driver.recv(&mut batch) => {
                    for incoming in batch.drain(..) {
                        arrived(&mut self.switchboard, incoming);
                    }
                }
                Some(ask) = self.asks.recv() => self.asked(ask),
                Some(report) = self.reports.recv() => self.switchboard.stored(now(), report),
                Some(inner) = self.inner.recv() => self.switchboard.inner(now(), inner),
                brought = self.errands.brought() => {
                    let inner = self.errands.finish(&mut self.driver, brought);
                    self.switchboard.inner(now(), inner);
                }
                event = self.accounts.event() => {
                    self.accounts.came(now(), &mut self.switchboard, event);
                }
                () = self.rules.changed() => {
                    self.rules.read();
                    self.use_rules();
                }
                news = network_news(&mut self.monitor) => match news {
                    News::Looked(looked) => self.network_looked_at(looked),
                    News::Sleeps => self.switchboard.fall_asleep(now()),
                },
                rang = alarm.ring() => {
                    rang.context("the clock does not ring")?;
                    let now = now();
                    is_stirred =
                        self.switchboard.next_deadline().is_some_and(|due| due <= now.instant);
                    self.switchboard.handle_deadline(now);
                }
                signal = self.lifecycle.signal() => match signal {
                    Signal::Stop => {
                        farewell.get_or_insert_with(|| Instant::now() + FAREWELL);
                        self.stop();
                    }
                    Signal::Reload => {
                        self.rules.read();
                        self.use_rules();
                        if let Err(refusal) = self.reload() {
                            tracing::error!("the configuration in use stays: {refusal}");
                        }
                    }
                },
                ended = bus_ended(&mut bus) => {
                    bus = None;
                    farewell.get_or_insert_with(|| Instant::now() + FAREWELL);
                    self.stop();
                    match ended {
                        Err(error) => result = Err(error),
                        Ok(Gone::Bus) => tracing::info!("the bus is gone: so is the session"),
                        Ok(Gone::Switchboard) => {}
                    }
                }
            }
            if is_stirred {
                rest.stirred(Instant::now());
            }
        }
        tracing::info!("stopped");
        self.lifecycle.ended();
        let Self { switchboard, notices, .. } = self;
        drop(notices);
        switchboard.into_store().close().map_err(anyhow::Error::msg)?;
        result
    }

    /// What the switchboard has to send, to be done and to tell goes out.
    fn flush(&mut self) {
        while let Some(transmit) = self.switchboard.poll_transmit() {
            self.driver.send(transmit);
        }
        while let Some(errand) = self.switchboard.poll_errand() {
            match errand {
                Errand::FetchSecret { account } => self.accounts.fetch(&account),
                errand => self.errands.begin(&mut self.driver, errand),
            }
        }
        while let Some(notice) = self.switchboard.poll_notice() {
            // Nobody may be listening any more.
            let _ = self.notices.send(notice);
        }
    }

    fn use_rules(&mut self) {
        let rules = self.rules.rules().clone();
        self.switchboard.set_rules(now(), rules, self.rules.problem());
    }

    fn asked(&mut self, ask: Ask) {
        match ask {
            Ask::Rules(ask) => {
                if self.rules.answer(ask) {
                    self.use_rules();
                }
            }
            Ask::CheckNames { domain, reply } => self.errands.check_names(&domain, reply),
            Ask::Reload { reply } => {
                self.rules.read();
                self.use_rules();
                let _ = reply.send(self.reload());
            }
            ask => {
                if let Some(ask) = self.accounts.asked(now(), &mut self.switchboard, ask) {
                    self.switchboard.ask(now(), ask);
                }
            }
        }
    }

    /// Begins to watch the network when there is a need of it: a service that only serves its own
    /// machine is not woken.
    fn watch_network(&mut self) {
        if self.monitor.is_none() && self.switchboard.needs_network() {
            let monitor = self.monitor.insert(Monitor::start(self.hints));
            self.switchboard.network_seen(now(), monitor.words());
        }
    }

    /// Lets the machine sleep as soon as the providers know that it does.
    fn let_sleep(&mut self) {
        if let Some(monitor) = &mut self.monitor
            && monitor.holds_sleep_off()
            && self.switchboard.are_lines_quiet()
        {
            monitor.may_sleep();
        }
    }

    fn network_looked_at(&mut self, looked: Looked) {
        if looked.change.is_some() {
            self.listen_there();
            self.errands.refresh(names_settings(&self.config));
        }
        let paths = system::paths(&self.switchboard.far_ends());
        self.switchboard.network_looked_at(now(), looked, &paths);
    }

    /// Listens at the addresses that there are now, where it listens at all.
    fn listen_there(&mut self) {
        for wildcard in &self.wildcards {
            match self.driver.refresh(*wildcard) {
                Ok((new, gone)) => {
                    let known = &mut self.circumstances.listening;
                    known
                        .retain(|at| at.transport != Transport::Udp || !gone.contains(&at.address));
                    known.extend(
                        new.into_iter()
                            .map(|address| Listening { transport: Transport::Udp, address }),
                    );
                }
                Err(error) => tracing::warn!("an address of this machine is not heard: {error}"),
            }
        }
        if !self.wildcards.is_empty() {
            let settings = Settings::of(&self.config, &self.circumstances);
            self.switchboard.configure(now(), settings);
        }
    }

    fn stop(&mut self) {
        self.lifecycle.stopping();
        self.switchboard.ask(now(), Ask::Stop);
    }

    /// Reads the configuration again; gives what waits for a restart.
    fn reload(&mut self) -> Result<Vec<String>, Refusal> {
        self.lifecycle.reloading();
        self.accounts.read(now(), &mut self.switchboard);
        let read = Config::load_if_present(&self.file);
        let done = match read {
            Err(error) => Err(Refusal::BadValue(error.to_string())),
            Ok(file) => {
                let file = listening_at(file.unwrap_or_default(), &self.listen);
                let (config, difference) = self.config.reloaded(file);
                self.logging.apply(&config.log);
                if !difference.is_empty() {
                    let settings = Settings::of(&config, &self.circumstances);
                    self.switchboard.configure(now(), settings);
                    self.errands.refresh(names_settings(&config));
                }
                // Also where no word changed: what the files hold may have, and what others keep.
                self.switchboard.refresh(now());
                self.driver.set_tls(tls_settings(&config));
                self.config = config;
                Ok(difference.restart_lines())
            }
        };
        self.lifecycle.reloaded();
        done
    }
}

fn arrived(switchboard: &mut Switchboard, incoming: Incoming) {
    match incoming {
        Incoming::Message { flow, message } => switchboard.receive(now(), flow, message),
        Incoming::Malformed { flow, bytes, fault } => {
            tracing::debug!(source = %flow, "unreadable: {fault}");
            switchboard.receive_malformed(now(), flow, &bytes, &fault);
        }
        Incoming::Secured { flow, identity } => {
            switchboard.secured(now(), &flow, identity);
        }
        Incoming::FlowFailed { flow, why } => {
            tracing::debug!(%flow, "{why}");
            match flow.connection {
                Some(connection) => {
                    switchboard.connection_closed(now(), &flow, connection, &why);
                }
                None => switchboard.flow_failed(now(), &flow, &why),
            }
        }
    }
}

/// The next news of the network; never, where nobody watches it.
async fn network_news(monitor: &mut Option<Monitor>) -> News {
    match monitor {
        None => std::future::pending().await,
        Some(monitor) => monitor.news().await,
    }
}

/// How the bus ended; never, where there is none.
async fn bus_ended(
    bus: &mut Option<oneshot::Receiver<anyhow::Result<Gone>>>,
) -> anyhow::Result<Gone> {
    match bus {
        None => std::future::pending().await,
        Some(receiver) => receiver.await.unwrap_or(Ok(Gone::Switchboard)),
    }
}
