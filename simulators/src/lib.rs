// SPDX-License-Identifier: GPL-3.0-or-later
//! Peers for the tests of SIP Witch that share no parser with it.
