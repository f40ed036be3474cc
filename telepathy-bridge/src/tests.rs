// SPDX-License-Identifier: GPL-3.0-or-later
//! The whole manager between a client and a service that a test plays.

mod bad_input;
mod blocking;
mod calls;
mod connection;
mod desk;
mod handler;
mod hold;
mod house;
mod manager;
mod order;
mod places;
mod providers;
mod reasons;
mod texts;
mod tones;
mod transfers;
mod video;
