// SPDX-License-Identifier: GPL-3.0-or-later
//! Channels that are calls, and their parts.

use super::{Interface, immutable, read};

pub(crate) const CHANNEL: Interface = Interface {
    name: "org.freedesktop.Telepathy.Channel",
    methods: &[
        ("Close", "", ""),
        ("GetChannelType", "", "s"),
        ("GetHandle", "", "uu"),
        ("GetInterfaces", "", "as"),
    ],
    signals: &[("Closed", "")],
    properties: &[
        immutable("ChannelType", "s"),
        immutable("Interfaces", "as"),
        immutable("TargetHandle", "u"),
        immutable("TargetID", "s"),
        immutable("TargetHandleType", "u"),
        immutable("Requested", "b"),
        immutable("InitiatorHandle", "u"),
        immutable("InitiatorID", "s"),
    ],
};

pub(crate) const CALL: Interface = Interface {
    name: "org.freedesktop.Telepathy.Channel.Type.Call1",
    methods: &[
        ("Accept", "", ""),
        ("AddContent", "suu", "o"),
        ("Hangup", "uss", ""),
        ("SetQueued", "", ""),
        ("SetRinging", "", ""),
    ],
    signals: &[
        ("CallMembersChanged", "a{uu}a{us}au(uuss)"),
        ("CallStateChanged", "uu(uuss)a{sv}"),
        ("ContentAdded", "o"),
        ("ContentRemoved", "o(uuss)"),
    ],
    properties: &[
        read("Contents", "ao"),
        read("CallStateDetails", "a{sv}"),
        read("CallState", "u"),
        read("CallFlags", "u"),
        read("CallStateReason", "(uuss)"),
        immutable("HardwareStreaming", "b"),
        read("CallMembers", "a{uu}"),
        read("MemberIdentifiers", "a{us}"),
        immutable("InitialTransport", "u"),
        immutable("InitialAudio", "b"),
        immutable("InitialVideo", "b"),
        immutable("InitialAudioName", "s"),
        immutable("InitialVideoName", "s"),
        immutable("MutableContents", "b"),
    ],
};

pub(crate) const HOLD: Interface = Interface {
    name: "org.freedesktop.Telepathy.Channel.Interface.Hold",
    methods: &[("GetHoldState", "", "uu"), ("RequestHold", "b", "")],
    signals: &[("HoldStateChanged", "uu")],
    properties: &[],
};

pub(crate) const CALL_DTMF: Interface = Interface {
    name: "org.freedesktop.Telepathy.Channel.Interface.DTMF",
    methods: &[("MultipleTones", "s", ""), ("StartTone", "uy", ""), ("StopTone", "u", "")],
    signals: &[("SendingTones", "s"), ("StoppedTones", "b"), ("TonesDeferred", "s")],
    properties: &[
        read("CurrentlySendingTones", "b"),
        immutable("InitialTones", "s"),
        read("DeferredTones", "s"),
    ],
};

/// A draft of the specification, under its name in telepathy-glib.
pub(crate) const TRANSFER: Interface = Interface {
    name: "org.freedesktop.Telepathy.Channel.Interface.Transfer",
    methods: &[("Transfer", "uu", "")],
    signals: &[],
    properties: &[],
};

pub(crate) const MUTE: Interface = Interface {
    name: "org.freedesktop.Telepathy.Call1.Interface.Mute",
    methods: &[("RequestMuted", "b", "")],
    signals: &[("MuteStateChanged", "u")],
    properties: &[read("LocalMuteState", "u")],
};

pub(crate) const CONTENT: Interface = Interface {
    name: "org.freedesktop.Telepathy.Call1.Content",
    methods: &[("Remove", "", "")],
    signals: &[("StreamsAdded", "ao")],
    properties: &[
        immutable("Interfaces", "as"),
        immutable("Name", "s"),
        immutable("Type", "u"),
        immutable("Disposition", "u"),
        read("Streams", "ao"),
    ],
};

pub(crate) const CONTENT_MEDIA: Interface = Interface {
    name: "org.freedesktop.Telepathy.Call1.Content.Interface.Media",
    methods: &[
        ("AcknowledgeDTMFChange", "yu", ""),
        ("Fail", "(uuss)", ""),
        ("UpdateLocalMediaDescription", "a{sv}", ""),
    ],
    signals: &[
        ("DTMFChangeRequested", "yu"),
        ("LocalMediaDescriptionChanged", "a{sv}"),
        ("MediaDescriptionOfferDone", ""),
        ("NewMediaDescriptionOffer", "oa{sv}"),
        ("RemoteMediaDescriptionsChanged", "a{ua{sv}}"),
    ],
    properties: &[
        read("RemoteMediaDescriptions", "a{ua{sv}}"),
        read("LocalMediaDescriptions", "a{ua{sv}}"),
        read("MediaDescriptionOffer", "(oa{sv})"),
        immutable("Packetization", "u"),
        read("CurrentDTMFEvent", "y"),
        read("CurrentDTMFState", "u"),
    ],
};

pub(crate) const CONTENT_DTMF: Interface = Interface {
    name: "org.freedesktop.Telepathy.Call1.Content.Interface.DTMF",
    methods: &[("MultipleTones", "s", ""), ("StartTone", "y", ""), ("StopTone", "", "")],
    signals: &[("SendingTones", "s"), ("StoppedTones", "b"), ("TonesDeferred", "s")],
    properties: &[read("CurrentlySendingTones", "b"), read("DeferredTones", "s")],
};

pub(crate) const MEDIA_DESCRIPTION: Interface = Interface {
    name: "org.freedesktop.Telepathy.Call1.Content.MediaDescription",
    methods: &[("Accept", "a{sv}", ""), ("Reject", "(uuss)", "")],
    signals: &[],
    properties: &[
        immutable("Interfaces", "as"),
        immutable("FurtherNegotiationRequired", "b"),
        immutable("HasRemoteInformation", "b"),
        immutable("Codecs", "a(usuuba{ss})"),
        immutable("RemoteContact", "u"),
        immutable("SSRCs", "a{uau}"),
    ],
};

pub(crate) const RTCP_FEEDBACK: Interface = Interface {
    name: "org.freedesktop.Telepathy.Call1.Content.MediaDescription.Interface.RTCPFeedback",
    methods: &[],
    signals: &[],
    properties: &[immutable("FeedbackMessages", "a{u(ua(sss))}"), immutable("DoesAVPF", "b")],
};

pub(crate) const RTP_EXTENSIONS: Interface = Interface {
    name: "org.freedesktop.Telepathy.Call1.Content.MediaDescription.Interface.RTPHeaderExtensions",
    methods: &[],
    signals: &[],
    properties: &[immutable("HeaderExtensions", "a(uuss)")],
};

pub(crate) const RTCP_REPORTS: Interface = Interface {
    name: "org.freedesktop.Telepathy.Call1.Content.MediaDescription.Interface.RTCPExtendedReports",
    methods: &[],
    signals: &[],
    properties: &[
        immutable("LossRLEMaxSize", "u"),
        immutable("DuplicateRLEMaxSize", "u"),
        immutable("PacketReceiptTimesMaxSize", "u"),
        immutable("DLRRMaxSize", "u"),
        immutable("RTTMode", "u"),
        immutable("StatisticsFlags", "u"),
        immutable("EnableMetrics", "b"),
    ],
};

pub(crate) const STREAM: Interface = Interface {
    name: "org.freedesktop.Telepathy.Call1.Stream",
    methods: &[("RequestReceiving", "ub", ""), ("SetSending", "b", "")],
    signals: &[
        ("LocalSendingStateChanged", "u(uuss)"),
        ("RemoteMembersChanged", "a{uu}a{us}au(uuss)"),
    ],
    properties: &[
        immutable("Interfaces", "as"),
        read("RemoteMembers", "a{uu}"),
        read("RemoteMemberIdentifiers", "a{us}"),
        read("LocalSendingState", "u"),
        immutable("CanRequestReceiving", "b"),
    ],
};

pub(crate) const STREAM_MEDIA: Interface = Interface {
    name: "org.freedesktop.Telepathy.Call1.Stream.Interface.Media",
    methods: &[
        ("AddCandidates", "a(usua{sv})", ""),
        ("CompleteReceivingStateChange", "u", ""),
        ("CompleteSendingStateChange", "u", ""),
        ("Fail", "(uuss)", ""),
        ("FinishInitialCandidates", "", ""),
        ("ReportReceivingFailure", "uss", ""),
        ("ReportSendingFailure", "uss", ""),
        ("SetCredentials", "ss", ""),
    ],
    signals: &[
        ("EndpointsChanged", "aoao"),
        ("LocalCandidatesAdded", "a(usua{sv})"),
        ("LocalCredentialsChanged", "ss"),
        ("ReceivingStateChanged", "u"),
        ("SendingStateChanged", "u"),
    ],
    properties: &[
        read("SendingState", "u"),
        read("ReceivingState", "u"),
        immutable("Transport", "u"),
        read("LocalCandidates", "a(usua{sv})"),
        read("LocalCredentials", "(ss)"),
        read("STUNServers", "a(sq)"),
        read("RelayInfo", "aa{sv}"),
        read("HasServerInfo", "b"),
        read("Endpoints", "ao"),
        read("ICERestartPending", "b"),
    ],
};

pub(crate) const ENDPOINT: Interface = Interface {
    name: "org.freedesktop.Telepathy.Call1.Stream.Endpoint",
    methods: &[
        ("AcceptSelectedCandidatePair", "(usua{sv})(usua{sv})", ""),
        ("RejectSelectedCandidatePair", "(usua{sv})(usua{sv})", ""),
        ("SetControlling", "b", ""),
        ("SetEndpointState", "uu", ""),
        ("SetSelectedCandidatePair", "(usua{sv})(usua{sv})", ""),
    ],
    signals: &[
        ("CandidatePairSelected", "(usua{sv})(usua{sv})"),
        ("ControllingChanged", "b"),
        ("EndpointStateChanged", "uu"),
        ("RemoteCandidatesAdded", "a(usua{sv})"),
        ("RemoteCredentialsSet", "ss"),
    ],
    properties: &[
        read("RemoteCredentials", "(ss)"),
        read("RemoteCandidates", "a(usua{sv})"),
        read("SelectedCandidatePairs", "a((usua{sv})(usua{sv}))"),
        read("EndpointState", "a{uu}"),
        read("Transport", "u"),
        read("Controlling", "b"),
        read("IsICELite", "b"),
    ],
};
