// SPDX-License-Identifier: GPL-3.0-or-later
//! The whole service in virtual time: a switchboard with its store, phones of plain text around it,
//! and a clock that moves when it is told to.

mod anchors;
mod blocking;
mod calls;
mod dialling;
mod digest;
mod house;
mod inside;
mod keeper;
mod keeping;
mod lines;
mod login;
mod outside;
mod programs;
mod published;
mod refusals;
mod registration;
mod soak;
mod talk;
mod text;
mod texts;
mod town;
mod transfers;
