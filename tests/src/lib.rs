// SPDX-License-Identifier: GPL-3.0-or-later
//! The house fixture and the scenarios that run SIP Witch against itself and against foreign peers.
