# SPDX-License-Identifier: GPL-3.0-or-later
"""The media of a call by telepathy-farstream, as Empathy's and KDE's call windows do it: made by GStreamer, and
decoded to nothing but a count.

Debian has no typelib for telepathy-farstream: its two types are used by GObject's own means, and its one function that
is no method of GObject by ctypes.
"""
import ctypes

import gi

gi.require_version("Gst", "1.0")
gi.require_version("Farstream", "0.2")
from gi.repository import Farstream, Gio, GLib, GObject, Gst

LIBRARY = ctypes.CDLL("libtelepathy-farstream.so.3")
LIBRARY.tf_channel_get_type.restype = ctypes.c_size_t
LIBRARY.tf_channel_bus_message.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
LIBRARY.tf_channel_get_type()

SOURCES = {
    Farstream.MediaType.AUDIO: "audiotestsrc is-live=true wave=sine ! audioconvert ! audioresample",
    Farstream.MediaType.VIDEO:
        "videotestsrc is-live=true ! video/x-raw,width=160,height=120,framerate=15/1 ! videoconvert",
}
SINKS = {
    Farstream.MediaType.AUDIO: "audioconvert ! fakesink name=sink sync=false",
    Farstream.MediaType.VIDEO: "videoconvert ! fakesink name=sink sync=false",
}
# By what farstream says where it is, once it has asked the router by UPnP.
PLACES = ("farstream-new-local-candidate", "farstream-local-candidates-prepared")
# How much of a medium is heard or seen before it is told: half a second of sound, a few pictures.
ENOUGH = {Farstream.MediaType.AUDIO: 25, Farstream.MediaType.VIDEO: 5}

Gst.init(None)
# Of GStreamer 1.22, its encoder does not start without keys, with which farstream fails where it finds it.
plugin = Gst.Registry.get().find_plugin("srtp")
if plugin is not None:
    Gst.Registry.get().remove_plugin(plugin)


class Media:
    """All media of one call."""

    def __init__(self, channel, say, ready, is_slow=False):
        self.say = say
        # What it has found out of where it is, while nobody is to hear of that.
        self.held = [] if is_slow else None
        self.count = 0
        self.pipeline = Gst.Pipeline()
        self.decoded = {}
        self.sources = {}
        watched = self.pipeline.get_bus()
        watched.add_signal_watch()
        watched.connect("message", self.message)
        kind = GObject.type_from_name("TfChannel")
        self.channel = GObject.new(kind, channel=channel)
        self.channel.init_async(GLib.PRIORITY_DEFAULT, None, lambda made, result: ready(made.init_finish(result)))
        self.channel.connect("fs-conference-added", self.conference_added)
        self.channel.connect("fs-conference-removed", self.conference_removed)
        self.channel.connect("content-added", self.content_added)
        self.channel.connect("content-removed", self.content_removed)

    def message(self, _bus, message):
        if message.type == Gst.MessageType.ERROR:
            self.say("media error:", *message.parse_error())
        said = message.get_structure()
        if self.held is not None and said is not None and said.get_name() in PLACES:
            self.held.append(message)
            return
        LIBRARY.tf_channel_bus_message(hash(self.channel), hash(message))

    def conference_added(self, _channel, conference):
        self.pipeline.add(conference)
        self.pipeline.set_state(Gst.State.PLAYING)

    def conference_removed(self, _channel, conference):
        conference.set_locked_state(True)
        conference.set_state(Gst.State.NULL)
        self.pipeline.remove(conference)

    def content_added(self, _channel, content):
        kind = content.get_property("media-type")
        content.connect("src-pad-added", self.pad_added)
        for signal in ("start-sending", "start-receiving"):
            content.connect(signal, lambda *_: True)
        source = Gst.parse_bin_from_description(SOURCES[kind], True)
        self.pipeline.add(source)
        source.get_static_pad("src").link(content.get_property("sink-pad"))
        source.set_state(Gst.State.PLAYING)
        self.sources[content.get_property("object-path")] = source
        self.say("media added", kind.value_nick)

    def content_removed(self, _channel, content):
        source = self.sources.pop(content.get_property("object-path"))
        source.set_locked_state(True)
        source.set_state(Gst.State.NULL)
        self.pipeline.remove(source)
        self.say("media removed")

    def pad_added(self, content, _handle, _stream, pad, codec):
        kind = content.get_property("media-type")
        self.say("media comes:", kind.value_nick, codec.encoding_name)
        sink = Gst.parse_bin_from_description(SINKS[kind], True)
        self.pipeline.add(sink)
        pad.add_probe(Gst.PadProbeType.BUFFER, self.buffer, kind)
        sink.set_state(Gst.State.PLAYING)
        pad.link(sink.get_static_pad("sink"))

    def buffer(self, _pad, _info, kind):
        # On a thread of GStreamer's.
        self.decoded[kind] = self.decoded.get(kind, 0) + 1
        if self.decoded[kind] == ENOUGH[kind]:
            GLib.idle_add(self.say, "decoded", kind.value_nick)
        return Gst.PadProbeReturn.OK

    def found(self):
        """Lets it say where it is."""
        held, self.held = self.held, None
        for message in held:
            LIBRARY.tf_channel_bus_message(hash(self.channel), hash(message))

    def again(self):
        """Counts from the beginning."""
        self.decoded = {}

    def stop(self):
        self.pipeline.set_state(Gst.State.NULL)
