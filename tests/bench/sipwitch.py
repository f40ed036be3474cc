# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own server."""

import servers


class SipWitch(servers.Server):
    name = "sipwitch"


def activation_row(room, plan):
    raise NotImplementedError
