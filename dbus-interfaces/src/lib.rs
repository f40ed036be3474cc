// SPDX-License-Identifier: GPL-3.0-or-later
//! The D-Bus contract of SIP Witch: XML, names, wire types, errors and proxies.
