#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Telepathy client by Telepathy's own library: obeys one word a line, tells what it sees.

connect             makes the account of SIP Witch in Mission Control, and waits until it is connected
manager NAME        from now on accounts are those of this connection manager, not of SIP Witch
provider ID K=V...  makes an account of the protocol sip with these parameters, and connects it
secret WORD         gives the password that is asked for
nosecret            gives none
await               waits for the account that somebody else has made
contact ID          what the connection knows of a contact
people              tells who is in the contact list, and again whenever that changes
points              tells the numbers of help, and again whenever they change
ask INTERFACE METHOD TYPES VALUE
                    calls a method of the connection; VALUE as Python writes it
presence WORD       chooses a presence
disconnect          wants to be offline
call ID             calls; sound is sent and counted, tones are sent within it (RFC 4733)
accept              takes the call that rings
hold WORD           "yes" holds the call, "no" takes it back
tones TEXT          sends tones
close               has done with a call that ended
hangup REASON       ends the call, for a reason by its number
farstream           from now on the media of calls are telepathy-farstream's
slow                from now on farstream does not say where it is until "found"
hold_places         the same within a call, for what is added to it
found               it says so
places              tells how many candidates the call has been given
show ID             calls with sound and pictures
begin ID TONES      calls, and sends tones as soon as it talks
mute WORD           "yes" mutes, "no" takes it back
add                 adds pictures to the call
remove              removes the last content of the call
press TEXT          sends tones of the call
transfer ID         sends who is at the far end to somebody else
again               counts what is decoded from the beginning
die                 ends without a word
write ID            opens a conversation in writing
text WORD           sends a text, and wants to know what becomes of it
reading WORD        "no" leaves what comes unread, "yes" reads it
composing STATE     tells a chat state by its number
hide MODES          sets the modes of anonymity
online              wants to be available
blocking            tells who is blocked, and again whenever that changes
block ID            blocks a contact
unblock ID          blocks it no more

Each signal of a call is told as "signal NAME", in the order of the bus.
"""
import socket
import struct
import sys

import gi

gi.require_version("TelepathyGLib", "0.12")
from gi.repository import Gio, GLib, TelepathyGLib as Tp

MANAGER = "org.freedesktop.Telepathy.AccountManager"
ACCOUNT = "org.freedesktop.Telepathy.Account"

bus = Gio.bus_get_sync(Gio.BusType.SESSION)
loop = GLib.MainLoop()
manager = Tp.AccountManager.dup()
account = None
connection = None
connection_manager = "sipwitch"


def say(*words):
    print(*words, flush=True)


def connect():
    properties = {
        ACCOUNT + ".Enabled": GLib.Variant("b", True),
        ACCOUNT + ".RequestedPresence": GLib.Variant("(uss)", (2, "available", "")),
    }
    given = GLib.Variant("(sssa{sv}a{sv})", ("sipwitch", "tel", "SIP Witch", {}, properties))
    path = "/" + MANAGER.replace(".", "/")
    made = bus.call_sync(MANAGER, path, MANAGER, "CreateAccount", given, None, 0, -1, None)
    say("account", made[0])
    use(made[0])


def manager_(name):
    global connection_manager
    connection_manager = name


def parameter(key, value):
    if key == "port":
        return GLib.Variant("q", int(value))
    if value in ("true", "false"):
        return GLib.Variant("b", value == "true")
    return GLib.Variant("s", value)


def provider(address, *given):
    pairs = [one.split("=", 1) for one in given]
    parameters = {key: parameter(key, value) for key, value in [("account", address), *pairs]}
    properties = {
        ACCOUNT + ".Enabled": GLib.Variant("b", True),
        ACCOUNT + ".RequestedPresence": GLib.Variant("(uss)", (2, "available", "")),
    }
    given = GLib.Variant("(sssa{sv}a{sv})", (connection_manager, "sip", address, parameters, properties))
    path = "/" + MANAGER.replace(".", "/")
    try:
        made = bus.call_sync(MANAGER, path, MANAGER, "CreateAccount", given, None, 0, -1, None)
    except GLib.Error as error:
        say("no account:", error.message)
        return
    say("account", made[0])
    use(made[0])


def use(path):
    global account
    account = manager.ensure_account(path)
    account.connect("notify::connection", connected)
    account.connect("notify::current-presence-type", present)
    account.connect("notify::connection-status", status)
    features = [Tp.Account.get_feature_quark_connection()]
    account.prepare_async(features, lambda a, r: connected(a, None))


def await_():
    path = "/" + MANAGER.replace(".", "/")
    given = GLib.Variant("(ss)", (MANAGER, "ValidAccounts"))
    properties = "org.freedesktop.DBus.Properties"
    found = bus.call_sync(MANAGER, path, properties, "Get", given, None, 0, -1, None)[0]
    use(found[0])
    given = GLib.Variant("(ss)", (ACCOUNT + ".Interface.Addressing", "URISchemes"))
    schemes = bus.call_sync(MANAGER, found[0], properties, "Get", given, None, 0, -1, None)[0]
    say("schemes", *sorted(schemes))


def connected(_account, _property):
    global connection
    found = account.get_connection()
    if found is None or found is connection:
        return
    connection = found
    features = [Tp.Connection.get_feature_quark_connected(), Tp.Connection.get_feature_quark_capabilities()]
    connection.prepare_async(features, prepared)


def prepared(proxy, result):
    try:
        proxy.prepare_finish(result)
    except GLib.Error as error:
        say("not prepared:", error.message)
        return
    own = proxy.get_self_contact()
    classes = proxy.get_capabilities()
    say("connected as", own.get_identifier(), "called", own.get_alias(),
        "audio" if classes.supports_audio_call(Tp.HandleType.CONTACT) else "no-audio",
        "video" if classes.supports_audio_video_call(Tp.HandleType.CONTACT) else "no-video",
        "text" if classes.supports_text_chats() else "no-text")


def present(_account, _property):
    kind, word, _message = account.get_current_presence()
    say("presence", int(kind), word)


def status(_account, _property):
    found, reason = account.get_connection_status()
    say("status", int(found), "reason", int(reason), account.get_property("connection-error"))


def contact(identifier):
    features = [Tp.ContactFeature.ALIAS, Tp.ContactFeature.PRESENCE, Tp.ContactFeature.CAPABILITIES]

    def found(proxy, result):
        try:
            one = proxy.dup_contact_by_id_finish(result)
        except GLib.Error as error:
            say("no contact:", error.message)
            return
        say("contact", one.get_identifier(), "presence", int(one.get_presence_type()))

    connection.dup_contact_by_id_async(identifier, features, found)


PEOPLE = [Tp.ContactFeature.ALIAS, Tp.ContactFeature.PRESENCE, Tp.ContactFeature.CAPABILITIES,
          Tp.ContactFeature.CONTACT_INFO, Tp.ContactFeature.SUBSCRIPTION_STATES]


def people():
    manager.get_factory().add_contact_features(PEOPLE)
    features = [Tp.Connection.get_feature_quark_contact_list()]
    watched = set()

    def show(one, *_):
        fields = ["%s=%s" % (f.field_name, ";".join(f.field_value)) for f in one.dup_contact_info()]
        abilities = one.get_capabilities()
        say("person", one.get_identifier(), "called", one.get_alias(), "presence", int(one.get_presence_type()),
            "state", int(one.get_subscribe_state()), *fields,
            "text" if abilities and abilities.supports_text_chats() else "no-text")

    def watch(contacts):
        for one in contacts:
            show(one)
            if one.get_identifier() not in watched:
                watched.add(one.get_identifier())
                for name in ("alias", "presence-type"):
                    one.connect("notify::" + name, show)

    def changed(_connection, added, removed):
        watch(added)
        for one in removed:
            say("gone", one.get_identifier())

    def ready(proxy, result):
        proxy.prepare_finish(result)
        proxy.connect("contact-list-changed", changed)
        say("list", int(proxy.get_contact_list_state()), "changes", proxy.get_can_change_contact_list())

        def upgraded(proxy, result):
            watch(proxy.upgrade_contacts_finish(result)[1])
            say("that is all")

        proxy.upgrade_contacts_async(proxy.dup_contact_list(), PEOPLE, upgraded)

    connection.prepare_async(features, ready)


def points():
    interface = "org.freedesktop.Telepathy.Connection.Interface.ServicePoint"

    def show(known):
        for (_kind, name), numbers in known:
            say("point", name, *numbers)

    def changed(_bus, _sender, _path, _interface, _name, values):
        show(values[0])

    given = GLib.Variant("(ss)", (interface, "KnownServicePoints"))
    path = connection.get_object_path()
    # First, so that no change falls between what is known and what is heard.
    bus.signal_subscribe(connection.get_bus_name(), interface, "ServicePointsChanged", path, None, 0, changed)
    show(bus.call_sync(connection.get_bus_name(), path, "org.freedesktop.DBus.Properties", "Get",
                       given, None, 0, -1, None)[0])


def ask_(interface, method, types, *value):
    interface = "org.freedesktop.Telepathy." + interface
    given = GLib.Variant(types, eval(" ".join(value)))
    try:
        got = bus.call_sync(connection.get_bus_name(), connection.get_object_path(), interface, method,
                            given, None, 0, -1, None)
        say("gave", got.print_(False))
    except GLib.Error as error:
        say("refused", Gio.DBusError.get_remote_error(error))


def blocking():
    def changed(_connection, added, removed):
        for one in added:
            say("now blocked:", one.get_identifier())
        for one in removed:
            say("no longer blocked:", one.get_identifier())

    def ready(proxy, result):
        proxy.prepare_finish(result)
        proxy.connect("blocked-contacts-changed", changed)
        interface = "org.freedesktop.Telepathy.Connection.Interface.ContactBlocking"
        given = GLib.Variant("(ss)", (interface, "ContactBlockingCapabilities"))
        flags = bus.call_sync(proxy.get_bus_name(), proxy.get_object_path(), "org.freedesktop.DBus.Properties",
                              "Get", given, None, 0, -1, None)[0]
        say("blocks", len(proxy.get_blocked_contacts()), "capabilities", flags)

    connection.prepare_async([Tp.Connection.get_feature_quark_contact_blocking()], ready)


def change_block(identifier, word):
    def found(proxy, result):
        one = proxy.dup_contact_by_id_finish(result)

        def done(contact, result):
            try:
                getattr(contact, word + "_finish")(result)
            except GLib.Error as error:
                return say(word, "of", identifier, "refused:", error.message)
            # TelepathyGLib hands on the signal, which comes first, after the reply at times.
            if contact.is_blocked() == (word == "block"):
                return tell(contact)
            contact.connect("notify::is-blocked", lambda contact, _property: tell(contact))

        def tell(contact):
            say(word, "of", identifier, "done, blocked", contact.is_blocked())

        if word == "block":
            one.block_async(False, done)
        else:
            one.unblock_async(done)

    connection.dup_contact_by_id_async(identifier, [Tp.ContactFeature.CONTACT_BLOCKING], found)


def block(identifier):
    change_block(identifier, "block")


def unblock(identifier):
    change_block(identifier, "unblock")


def presence(word):
    account.request_presence_async(Tp.ConnectionPresenceType.BUSY, word, "", lambda a, r: None)


def disconnect():
    account.request_presence_async(Tp.ConnectionPresenceType.OFFLINE, "offline", "", lambda a, r: None)


class Call:
    """A call, and what is asked of it."""

    def __init__(self, name, call):
        self.name, self.call = name, call
        self.content = self.get(call, "Channel.Type.Call1", "Contents")[0]
        bus.signal_subscribe(name, None, None, None, None, 0, self.signal)

    def ask(self, path, interface, method, types=None, *values):
        interface = "org.freedesktop.Telepathy." + interface
        given = GLib.Variant(types, values) if types else None
        return bus.call_sync(self.name, path, interface, method, given, None, 0, -1, None)

    def get(self, path, interface, name):
        given = ("org.freedesktop.Telepathy." + interface, name)
        types = GLib.Variant("(ss)", given)
        properties = "org.freedesktop.DBus.Properties"
        return bus.call_sync(self.name, path, properties, "Get", types, None, 0, -1, None)[0]

    def signal(self, _bus, _sender, path, _interface, name, values):
        if not path.startswith(self.call):
            return
        say("signal", name)
        self.heard_of(path, name, values)
        if name == "HoldStateChanged":
            say("hold", values[0], "reason", values[1])
        if name == "MuteStateChanged":
            say("mute", values[0])
        if name == "ContentRemoved":
            say("content removed, reason", values[1][1])
        if name == "CallMembersChanged":
            say("members", *values[0].values())
            if values[2]:
                say("member instead", *values[1].values())
        if name == "CallStateChanged":
            state, flags, (_actor, why, error, words), _details = values
            say("state", state, "flags", flags, "reason", why, error)
            if words:
                say("words", words)

    def heard_of(self, path, name, values):
        """Something more about a signal."""


class Streaming(Call):
    """A call whose media are telepathy-farstream's."""

    def __init__(self, name, channel):
        import farstream_media

        super().__init__(name, channel.get_object_path())
        self.media = farstream_media.Media(channel, say, lambda _: self.ready(), is_slow)
        self.is_ready, self.is_wanted = False, False

    def ready(self):
        self.is_ready = True
        if self.is_wanted:
            self.begin()

    def begin(self):
        self.is_wanted = True
        if self.is_ready:
            self.ask(self.call, "Channel.Type.Call1", "Accept")

    def heard_of(self, path, name, values):
        if name == "CallStateChanged" and values[0] == 6:
            self.media.stop()
        if name == "DTMFChangeRequested":
            say("tone", *values)


class Sound(Call):
    """A call whose sound is plain UDP, one codec, silence; without farstream."""

    CODECS = [(8, "PCMA", 8000, 0, False, {}), (101, "telephone-event", 8000, 0, False, {"events": "0-15"})]

    def __init__(self, name, call):
        super().__init__(name, call)
        self.stream = self.get(self.content, "Call1.Content", "Streams")[0]
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind(("127.0.0.1", 0))
        self.heard, self.sent, self.began, self.to, self.event = 0, 0, 0, None, None
        GLib.io_add_watch(self.rtp, GLib.IO_IN, self.receive)
        GLib.timeout_add(20, self.send)

    def begin(self):
        self.ask(self.call, "Channel.Type.Call1", "Accept")
        self.remote(self.candidates())
        self.complete("Receiving")
        offer = self.get(self.content, "Call1.Content.Interface.Media", "MediaDescriptionOffer")
        self.agree(offer[0])
        self.complete("Sending")
        more = {"protocol": GLib.Variant("u", 0), "type": GLib.Variant("u", 1)}
        port = self.rtp.getsockname()[1]
        self.ask(self.stream, "Call1.Stream.Interface.Media", "AddCandidates", "(a(usua{sv}))",
                 [(1, "127.0.0.1", port, more)])
        self.ask(self.stream, "Call1.Stream.Interface.Media", "FinishInitialCandidates")

    def complete(self, way):
        """Begins or ends what is to be begun or ended."""
        media = "Call1.Stream.Interface.Media"
        done = {1: 3, 2: 0}.get(self.get(self.stream, media, way + "State"))
        if done is not None:
            self.ask(self.stream, media, "Complete" + way + "StateChange", "(u)", done)

    def agree(self, offer):
        codecs = GLib.Variant("a(usuuba{ss})", self.CODECS)
        said = {"org.freedesktop.Telepathy.Call1.Content.MediaDescription.Codecs": codecs}
        self.ask(offer, "Call1.Content.MediaDescription", "Accept", "(a{sv})", said)

    def candidates(self):
        try:
            endpoints = self.get(self.stream, "Call1.Stream.Interface.Media", "Endpoints")
            return self.get(endpoints[0], "Call1.Stream.Endpoint", "RemoteCandidates")
        except (GLib.Error, IndexError):
            return []

    def remote(self, candidates):
        for component, address, port, _more in candidates:
            if component == 1:
                self.to = (address, port)

    def heard_of(self, path, name, values):
        for way in ("Sending", "Receiving"):
            if name == way + "StateChanged":
                self.complete(way)
        if name == "RemoteCandidatesAdded":
            self.remote(values[0])
        if name == "NewMediaDescriptionOffer":
            self.agree(values[0])
        if name == "DTMFChangeRequested":
            event, state = values
            self.event = event if state == 1 else None
            if state == 3:
                self.tone(event, True)
            self.ask(self.content, "Call1.Content.Interface.Media", "AcknowledgeDTMFChange", "(yu)",
                     event, 2 if state == 1 else 0)

    def receive(self, source, _condition):
        source.recv(2048)
        self.heard += 1
        if self.heard == 50:
            say("heard 50 packets")
        return True

    def packet(self, kind, marker, stamp, data):
        self.sent += 1
        head = struct.pack("!BBHII", 0x80, kind | marker << 7, self.sent & 0xFFFF, stamp, 4711)
        self.rtp.sendto(head + data, self.to)

    def tone(self, event, is_end):
        for _ in range(3 if is_end else 1):
            self.packet(101, 0, self.began, struct.pack("!BBH", event, 10 | is_end << 7, 1600))

    def send(self):
        if self.to is None:
            return True
        if self.event is None:
            self.packet(8, 0, self.sent * 160, b"\xd5" * 160)
            self.began = self.sent * 160
        else:
            self.tone(self.event, False)
        return True


class Writing:
    """A conversation in writing."""

    def __init__(self, channel):
        self.channel = channel
        channel.connect("message-received", lambda _channel, message: self.show(message))
        channel.connect("contact-chat-state-changed", lambda _channel, _contact, state: say("chat", int(state)))
        features = [Tp.TextChannel.get_feature_quark_incoming_messages(),
                    Tp.TextChannel.get_feature_quark_chat_states()]
        channel.prepare_async(features, self.prepared)

    def prepared(self, channel, result):
        channel.prepare_finish(result)
        for message in channel.dup_pending_messages():
            self.show(message)
        say("writing to", channel.get_identifier())

    def show(self, message):
        if message.is_delivery_report():
            say("report", message.dup_part(0).lookup_value("delivery-status", None).get_uint32())
        else:
            say("old" if message.is_scrollback() else "text", message.to_text()[0])
        if reads:
            self.channel.ack_message_async(message, None)

    def send(self, word):
        message = Tp.ClientMessage.new_text(Tp.ChannelTextMessageType.NORMAL, word)
        flags = Tp.MessageSendingFlags.DELIVERY
        self.channel.send_message_async(message, flags, lambda c, r: say("sent"))


class Asked:
    """A password that is asked for."""

    SASL = "org.freedesktop.Telepathy.Channel.Interface.SASLAuthentication"

    def __init__(self, name, path):
        self.name, self.path = name, path
        bus.signal_subscribe(name, self.SASL, "SASLStatusChanged", path, None, 0, self.changed)
        user = self.ask("org.freedesktop.DBus.Properties", "Get", "(ss)", self.SASL, "DefaultUsername")
        say("asked for the password of", user[0])

    def ask(self, interface, method, types=None, *values):
        given = GLib.Variant(types, values) if types else None
        return bus.call_sync(self.name, self.path, interface, method, given, None, 0, -1, None)

    def give(self, word):
        data = word.encode()
        self.ask(self.SASL, "StartMechanismWithData", "(say)", "X-TELEPATHY-PASSWORD", data)

    def close(self):
        self.ask("org.freedesktop.Telepathy.Channel", "Close")

    def changed(self, _bus, _sender, _path, _interface, _name, values):
        say("sasl", values[0], values[1])
        if values[0] == 2:
            self.ask(self.SASL, "AcceptSASL")
        if values[0] == 4:
            self.close()


sound = None
writing = None
is_streaming = False
is_slow = False
asked = None
reads = True


def handle(_handler, _account, one, channels, _requests, _time, context, _data):
    global sound, writing, asked
    context.accept()
    channel = channels[0]
    if channel.get_channel_type().endswith(".ServerAuthentication"):
        asked = Asked(one.get_bus_name(), channel.get_object_path())
        return
    if isinstance(channel, Tp.TextChannel):
        writing = Writing(channel)
        return
    name = one.get_bus_name()
    sound = Streaming(name, channel) if is_streaming else Sound(name, channel.get_object_path())
    if channel.get_requested():
        say("handling a call to", channel.get_identifier())
        sound.begin()
    else:
        sound.ask(sound.call, "Channel.Type.Call1", "SetRinging")
        say("rings from", channel.get_identifier(), "called", channel.get_target_contact().get_alias())


handler = Tp.SimpleHandler.new_with_am(manager, True, False, "SipWitchTest", False, handle, None)
for kind in ("Call1", "Text", "ServerAuthentication"):
    handler.add_handler_filter_vardict(GLib.Variant("a{sv}", {
        "org.freedesktop.Telepathy.Channel.ChannelType":
            GLib.Variant("s", "org.freedesktop.Telepathy.Channel.Type." + kind)}))
handler.register()


def call(identifier):
    ask(Tp.AccountChannelRequest.new_audio_call(account, 0), identifier)


def show(identifier):
    ask(Tp.AccountChannelRequest.new_audio_video_call(account, 0), identifier)


def begin(identifier, tones):
    request = Tp.AccountChannelRequest.new_audio_call(account, 0)
    name = "org.freedesktop.Telepathy.Channel.Interface.DTMF.InitialTones"
    request.set_request_property(name, GLib.Variant("s", tones))
    ask(request, identifier)


def farstream():
    global is_streaming
    is_streaming = True
    say("farstream")


def slow():
    global is_slow
    is_slow = True
    say("slow")


def found():
    sound.media.found()


def hold_places():
    sound.media.held = []


def places():
    stream = sound.get(sound.content, "Call1.Content", "Streams")[0]
    say("places", len(sound.get(stream, "Call1.Stream.Interface.Media", "LocalCandidates")))


def again():
    sound.media.again()


def mute(word):
    sound.ask(sound.call, "Call1.Interface.Mute", "RequestMuted", "(b)", word == "yes")


def add():
    made = sound.ask(sound.call, "Channel.Type.Call1", "AddContent", "(suu)", "pictures", 1, 3)
    say("added", made[0])


def remove():
    last = sound.get(sound.call, "Channel.Type.Call1", "Contents")[-1]
    sound.ask(last, "Call1.Content", "Remove")


def press(text):
    sound.ask(sound.call, "Channel.Interface.DTMF", "MultipleTones", "(s)", text)


def transfer(identifier):
    requests = "org.freedesktop.Telepathy.Connection"
    types = GLib.Variant("(uas)", (1, [identifier]))
    other = bus.call_sync(sound.name, connection.get_object_path(), requests, "RequestHandles", types, None, 0, -1, None)
    member = sound.get(sound.call, "Channel", "TargetHandle")
    sound.ask(sound.call, "Channel.Interface.Transfer", "Transfer", "(uu)", member, other[0][0])


def die():
    sys.exit(1)


def write(identifier):
    ask(Tp.AccountChannelRequest.new_text(account, 0), identifier)


def secret(word):
    asked.give(word)


def nosecret():
    asked.close()


def reading(word):
    global reads
    reads = word == "yes"


def online():
    account.request_presence_async(Tp.ConnectionPresenceType.AVAILABLE, "available", "", lambda a, r: None)


def composing(state):
    def done(channel, result):
        try:
            channel.set_chat_state_finish(result)
            say("chat state told")
        except GLib.Error as error:
            say("no chat state:", error.message)

    writing.channel.set_chat_state_async(Tp.ChannelChatState(int(state)), done)


def hide(modes):
    interface = "org.freedesktop.Telepathy.Connection.Interface.Anonymity"
    given = GLib.Variant("(ssv)", (interface, "AnonymityModes", GLib.Variant("u", int(modes))))
    try:
        bus.call_sync(connection.get_bus_name(), connection.get_object_path(),
                      "org.freedesktop.DBus.Properties", "Set", given, None, 0, -1, None)
        say("hidden", modes)
    except GLib.Error as error:
        say("refused", Gio.DBusError.get_remote_error(error))


def text(word):
    writing.send(word)


def ask(request, identifier):
    request.set_target_id(Tp.HandleType.CONTACT, identifier)

    def made(proxy, result):
        try:
            proxy.create_channel_finish(result)
        except GLib.Error as error:
            say("no call:", error.message)

    request.create_channel_async(handler.get_bus_name(), None, made)


def accept():
    sound.begin()


def hold(word):
    sound.ask(sound.call, "Channel.Interface.Hold", "RequestHold", "(b)", word == "yes")


def tones(text):
    sound.ask(sound.content, "Call1.Content.Interface.DTMF", "MultipleTones", "(s)", text)


def hangup(reason):
    sound.ask(sound.call, "Channel.Type.Call1", "Hangup", "(uss)", int(reason), "", "")
    sound.ask(sound.call, "Channel", "Close")


def close():
    sound.ask(sound.call, "Channel", "Close")


def obey(channel, _condition):
    line = channel.readline().decode()
    if not line:
        loop.quit()
        return False
    word, *rest = line.split()
    globals()[word + "_" if word in ("await", "ask", "manager") else word](*rest)
    return True


# Unbuffered: of two lines that come together, the second is to be heard of too.
GLib.io_add_watch(open(0, "rb", buffering=0), GLib.IO_IN | GLib.IO_HUP, obey)
say("ready")
loop.run()
