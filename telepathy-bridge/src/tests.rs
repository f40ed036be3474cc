// SPDX-License-Identifier: GPL-3.0-or-later
//! The whole manager between a client and a service that a test plays.

mod calls;
mod connection;
mod desk;
mod house;
mod manager;
mod providers;
mod texts;
