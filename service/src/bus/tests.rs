// SPDX-License-Identifier: GPL-3.0-or-later
//! The bus objects over a connection without a bus, with a scripted switchboard: the test holds the
//! other end of its channels.

mod asks;
mod blocking;
mod contract;
mod daemon;
mod house;
mod notices;
mod providers;
