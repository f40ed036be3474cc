// SPDX-License-Identifier: GPL-3.0-or-later
//! The call window of KDE Telepathy, on a screen of its own.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::StreamExt as _;
use zbus::zvariant::{OwnedValue, Structure};
use zbus::{MatchRule, MessageStream, fdo::DBusProxy, object_server::SignalEmitter};

use super::telepathy::{self, CALL, environment};
use crate::program::foreign;
use crate::{Desk, House, PATIENCE, Program, Screen, Transcript};

/// The program that is a handler of calls.
const HANDLER: &str = "org.freedesktop.Telepathy.Client.KTp.CallUi";
const CLIENT: &str = "/org/freedesktop/Telepathy/Client/KTp/CallUi";
const CLIENT_INTERFACE: &str = "org.freedesktop.Telepathy.Client";
const CLIENT_FILE: &str = "/usr/share/telepathy/clients/KTp.CallUi.client";
const PROGRAM: &str = "/usr/lib/*/libexec/ktp-call-ui";
const PACKAGE: &str = "install the package kde-telepathy-call-ui";
const NOTIFICATIONS: &str = "org.freedesktop.Notifications";
const NOTIFICATIONS_PATH: &str = "/org/freedesktop/Notifications";
const ACCOUNT: &str = "org.freedesktop.Telepathy.Account";
/// The type of a presence (`Connection_Presence_Type`).
const AVAILABLE: u32 = 2;
const WINDOW: &str = "/ktp_call_ui/MainWindow_1";

/// A desktop on which KDE's programs handle the calls of Telepathy; they are connected as 101.
#[derive(Debug)]
pub struct Kde {
    /// Where its windows are.
    pub screen: Screen,
    /// The states of calls, as they are told on the bus.
    states: Transcript<u32>,
    notifications: Transcript<Notification>,
    _mission_control: Program,
    desk: Desk,
    home: PathBuf,
    bus: String,
}

/// A notification, and what is pressed on it.
#[derive(Debug, Clone)]
pub struct Notification {
    number: u32,
    /// What it says.
    pub text: String,
    /// What can be done, each with the key that tells it to who asked.
    actions: Vec<(String, String)>,
}

/// Shows notifications, in that it writes them down.
struct Shown(Transcript<Notification>);

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Shown {
    fn get_capabilities(&self) -> Vec<&str> {
        vec!["actions", "body", "body-markup"]
    }

    fn get_server_information(&self) -> (&str, &str, &str, &str) {
        ("SIP Witch's tests", "SIP Witch", "1", "1.2")
    }

    #[expect(clippy::too_many_arguments, reason = "the specification has so many")]
    fn notify(
        &self,
        _program: &str,
        _instead_of: u32,
        _icon: &str,
        summary: &str,
        body: &str,
        actions: Vec<String>,
        _hints: HashMap<&str, OwnedValue>,
        _stays: i32,
    ) -> u32 {
        let number = u32::try_from(self.0.all().len()).unwrap_or(0) + 1;
        let actions = actions.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
        let text = format!("{summary}: {body}");
        self.0.push(Notification { number, text, actions: actions.collect() });
        number
    }

    fn close_notification(&self, _number: u32) {}

    #[zbus(signal)]
    async fn action_invoked(
        emitter: &SignalEmitter<'_>,
        number: u32,
        key: &str,
    ) -> zbus::Result<()>;
}

impl Kde {
    /// Starts Mission Control on the bus of a house, with KDE's call window as a client that can be
    /// activated, and sets up the account.
    ///
    /// # Errors
    /// Something is not installed or does not come up.
    pub fn start(house: &House) -> Result<Self> {
        let bus = house.bus.as_ref().context("the house has no bus")?.address.clone();
        let home = house.home().to_owned();
        let screen = Screen::start()?;
        let desk = house.new_desk()?;
        let notifications = Transcript::new();
        let serving = async {
            let shown = Shown(notifications.clone());
            desk.connection().object_server().at(NOTIFICATIONS_PATH, shown).await?;
            desk.connection().request_name(NOTIFICATIONS).await
        };
        desk.wait("the notifications", serving)??;
        furnish(&home, &screen, &desk)?;
        let mission_control = telepathy::mission_control(house)?;
        let states = states(&desk)?;
        let changes = signals(&desk, ACCOUNT, "AccountPropertyChanged")?;
        let (status, said) = house.sipwitch(&["telepathy", "setup"])?;
        ensure!(status.success(), "{said}");
        desk.wait("the presence of the account", is_available(changes))??;
        Ok(Self {
            screen,
            states,
            notifications,
            _mission_control: mission_control,
            desk,
            home,
            bus,
        })
    }

    /// Waits until a call is in a state (`Call_State`).
    ///
    /// # Errors
    /// None is in time.
    pub fn state(&mut self, wanted: u32) -> Result<()> {
        let found = self.states.wait(PATIENCE, |state| (*state == wanted).then_some(()));
        found.with_context(|| format!("no state {wanted} among {:?}", self.states.all()))
    }

    /// Waits for a notification of which something can be made.
    ///
    /// # Errors
    /// There is none in time; others are shown.
    pub fn notified(&mut self, text: &str) -> Result<Notification> {
        let wanted = |one: &Notification| one.text.contains(text).then(|| one.clone());
        let found = self.notifications.wait(PATIENCE, wanted);
        found.with_context(|| format!("no {text:?} among {:?}", self.notifications.all()))
    }

    /// Presses a button of a notification.
    ///
    /// # Errors
    /// It has none of the name.
    pub fn press(&self, notification: &Notification, button: &str) -> Result<()> {
        let action = notification.actions.iter().find(|(_, name)| name == button);
        let (key, _) = action.with_context(|| format!("no {button:?} in {notification:?}"))?;
        let pressing = async {
            let connection = self.desk.connection();
            // No finger is so quick as to press before the number of the notification is known to who
            // asked for it. Its main loop answers this, the second time after the number has come.
            let asked = (CLIENT_INTERFACE, "Interfaces");
            for _ in 0..2 {
                let properties = Some("org.freedesktop.DBus.Properties");
                connection.call_method(Some(HANDLER), CLIENT, properties, "Get", &asked).await?;
            }
            let emitter = SignalEmitter::new(connection, NOTIFICATIONS_PATH)?;
            Shown::action_invoked(&emitter, notification.number, key).await
        };
        Ok(self.desk.wait("the button", pressing)??)
    }

    /// Does what a button of the call window does, by its name within the program, as soon as it can be
    /// pressed.
    ///
    /// # Errors
    /// It has none of the name, or it stays grey.
    pub fn activate(&self, action: &str) -> Result<()> {
        let (connection, window) = (self.desk.connection(), Some("org.kde.KMainWindow"));
        let call = async |method| -> Result<bool> {
            let reply =
                connection.call_method(Some(HANDLER), WINDOW, window, method, &action).await?;
            Ok(reply.body().deserialize()?)
        };
        let deadline = Instant::now() + PATIENCE;
        while !self.desk.wait("the window", call("actionIsEnabled"))?? {
            ensure!(Instant::now() < deadline, "{action} stays grey");
            self.moment();
        }
        let done = self.desk.wait("the window", call("activateAction"))??;
        ensure!(done, "there is no {action}");
        Ok(())
    }

    /// Starts the program in which numbers are typed.
    ///
    /// # Errors
    /// It is not installed.
    pub fn dial_window(&self) -> Result<Program> {
        let program = foreign("ktp-dialout-ui", "kde-telepathy-call-ui")?;
        let mut command = environment(program, &self.home, &self.bus);
        command.env("DISPLAY", &self.screen.display);
        Program::start("ktp-dialout-ui", &mut command)
    }

    /// Waits until the call window has played a second more than until now, and that is a tone of so
    /// many hertz.
    ///
    /// # Errors
    /// It has not, in time.
    pub fn plays(&mut self, hertz: f64) -> Result<()> {
        let file = played(&self.home);
        let begin = fs::read(&file).unwrap_or_default().len();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let bytes = fs::read(&file).unwrap_or_default();
            let more = bytes[begin..].chunks_exact(2);
            let more: Vec<_> =
                more.map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]]))).collect();
            let share = share_of(hertz, &more);
            if more.len() >= 8000 && share > 0.5 {
                return Ok(());
            }
            let seen = more.len();
            ensure!(Instant::now() < deadline, "{seen} samples, {share} of them {hertz} hertz");
            self.moment();
        }
    }

    /// Lets a moment pass, for what is told to nobody, or until a call changes its state.
    fn moment(&self) {
        let mut states = self.states.clone();
        states.skip();
        states.wait(Duration::from_millis(200), |_| Some(()));
    }
}

/// How much of a sound is the tone of so many hertz, from 0 to 1, at 8000 samples a second.
fn share_of(hertz: f64, samples: &[f64]) -> f64 {
    let step = std::f64::consts::TAU * hertz / 8000.0;
    let (mut sine, mut cosine, mut power, mut angle) = (0.0, 0.0, 0.0, 0.0_f64);
    for sample in samples {
        sine += sample * angle.sin();
        cosine += sample * angle.cos();
        power += sample * sample;
        angle += step;
    }
    // A tone of amplitude 1 has the power 1/2, and half its samples as its product with itself.
    let count = angle / step;
    if power == 0.0 { 0.0 } else { 2.0 * (sine * sine + cosine * cosine) / (count * power) }
}

/// Makes KDE's call window a client that can be activated, with what it needs to be seen and heard.
fn furnish(home: &Path, screen: &Screen, desk: &Desk) -> Result<()> {
    let program = one_file(PROGRAM).context(PACKAGE)?;
    let file = format!("[D-BUS Service]\nName={HANDLER}\nExec={}\n", program.display());
    fs::write(home.join("dbus-services").join(format!("{HANDLER}.service")), file)?;
    fs::create_dir_all(home.join("clients"))?;
    fs::copy(CLIENT_FILE, home.join("clients/KTp.CallUi.client")).context(PACKAGE)?;
    fs::write(home.join(".config/ktp-call-uirc"), sound(home))?;
    let plugins = plugins_without_srtp(home)?;
    let variables = HashMap::from([
        ("DISPLAY", screen.display.as_str()),
        ("GST_PLUGIN_SYSTEM_PATH_1_0", plugins.as_str()),
        // Without a graphics card.
        ("QT_QUICK_BACKEND", "software"),
        ("XDG_DATA_DIRS", "/usr/share"),
    ]);
    let activation = async {
        let bus = DBusProxy::new(desk.connection()).await?;
        bus.update_activation_environment(variables).await
    };
    Ok(desk.wait("the environment of programs that are activated", activation)??)
}

/// A signal of anybody on the bus, from now on.
fn signals(desk: &Desk, interface: &str, member: &str) -> Result<MessageStream> {
    let rule = MatchRule::builder().interface(interface)?.member(member)?.build();
    let listening = MessageStream::for_match_rule(rule, desk.connection(), None);
    Ok(desk.wait("the bus", listening)??)
}

/// Waits until an account is available.
async fn is_available(mut changes: MessageStream) -> Result<()> {
    while let Some(change) = changes.next().await {
        let changed: (HashMap<String, OwnedValue>,) = change?.body().deserialize()?;
        if let Some(presence) = changed.0.get("CurrentPresence")
            && first(presence.downcast_ref()?) == Some(AVAILABLE)
        {
            return Ok(());
        }
    }
    bail!("the bus has gone")
}

/// The states of all calls on the bus from now on.
fn states(desk: &Desk) -> Result<Transcript<u32>> {
    let mut stream = signals(desk, CALL, "CallStateChanged")?;
    let states = Transcript::new();
    let told = states.clone();
    desk.spawn(async move {
        while let Some(Ok(message)) = stream.next().await {
            if let Ok(said) = message.body().deserialize()
                && let Some(state) = first(said)
            {
                told.push(state);
            }
        }
        told.close();
    });
    Ok(states)
}

/// The first of several values, where that is a number: the type of a presence, the state of a call.
fn first(values: Structure<'_>) -> Option<u32> {
    values.fields().first()?.downcast_ref().ok()
}

/// The configuration of the call window, in which its microphone is a tone, and its loudspeaker a file.
fn sound(home: &Path) -> String {
    format!(
        "[GStreamer]\naudiosrc=audiotestsrc is-live=true freq=1000\naudiosink=audioconvert ! \
         audioresample ! audio/x-raw,format=S16LE,rate=8000,channels=1 ! filesink sync=false \
         async=false buffer-mode=unbuffered location={}\n",
        played(home).display()
    )
}

fn played(home: &Path) -> PathBuf {
    home.join("played")
}

/// A folder with the plugins of GStreamer but that of SRTP: that of 1.22 does not start without keys,
/// with which farstream fails where it finds it.
fn plugins_without_srtp(home: &Path) -> Result<String> {
    let into = home.join("gstreamer");
    fs::create_dir(&into)?;
    let from = one_file("/usr/lib/*/gstreamer-1.0").context("install gstreamer1.0-plugins-base")?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name() != "libgstsrtp.so" {
            std::os::unix::fs::symlink(entry.path(), into.join(entry.file_name()))?;
        }
    }
    Ok(into.display().to_string())
}

/// The file of this name, in which one folder is any.
fn one_file(pattern: &str) -> Result<PathBuf> {
    let (before, after) = pattern.split_once("/*/").context("one folder is any")?;
    let folders = fs::read_dir(before)?.filter_map(|folder| Some(folder.ok()?.path().join(after)));
    folders.into_iter().find(|file| file.exists()).with_context(|| format!("no {pattern}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_told_from_another() {
        let tone = |hertz: f64| -> Vec<f64> {
            (0..8000_i32)
                .map(|at| (std::f64::consts::TAU * hertz * f64::from(at) / 8000.0).sin())
                .collect()
        };
        assert!(share_of(440.0, &tone(440.0)) > 0.99);
        assert!(share_of(440.0, &tone(1000.0)) < 0.01);
        assert!(share_of(440.0, &[0.0; 8000]) < 0.01);
        assert!(share_of(440.0, &[]) < 0.01);
    }
}
