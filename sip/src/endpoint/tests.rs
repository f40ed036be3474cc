// SPDX-License-Identifier: GPL-3.0-or-later
//! Endpoints and phones of plain text on a virtual wire.

mod changes;
mod claims;
mod early;
mod ends;
mod figures;
mod fixture;
mod line_properties;
mod line_requests;
mod lines;
mod lossy;
mod moves;
mod outside;
mod properties;
mod setup;
mod timers;
mod transfers;
