// SPDX-License-Identifier: GPL-3.0-or-later
//! Groups: several extensions under one number.

use std::collections::BTreeSet;

use super::{Attempt, Because, Caller, Rejected, Route, Target, Why, World, local::collect};
use crate::extension::{Extension, ExtensionNumber, GroupMode, Kind};

/// How deep groups may lie within groups.
const MAX_DEPTH: usize = 8;

pub(super) fn route(
    group: &Extension,
    members: &[ExtensionNumber],
    mode: GroupMode,
    caller: &Caller,
    world: &impl World,
) -> Route {
    let mut walk =
        Walk { caller, world, seen: BTreeSet::from([&group.number]), rejected: Vec::new() };
    if members.is_empty() {
        return Route::refused(group.number.to_string(), Why::EmptyGroup);
    }
    let usual = group.ring_time.unwrap_or_else(|| world.ring_time());
    let mut attempts = Vec::new();
    match mode {
        GroupMode::All => {
            let mut targets = Vec::new();
            for member in members {
                walk.member(member, MAX_DEPTH, &mut targets);
            }
            if !targets.is_empty() {
                let because = Because::Group(group.number.clone());
                attempts.push(Attempt::new(targets, because, usual));
            }
        }
        GroupMode::InOrder => {
            let mut tried = Vec::new();
            for member in members {
                let mut targets = Vec::new();
                walk.member(member, MAX_DEPTH, &mut targets);
                // Nobody is rung again in a later turn.
                targets.retain(|target| !tried.contains(&target.destination));
                tried.extend(targets.iter().map(|target| target.destination));
                if !targets.is_empty() {
                    let ring = world.extension(member).and_then(|m| m.ring_time).unwrap_or(usual);
                    let because =
                        Because::Member { group: group.number.clone(), member: member.clone() };
                    attempts.push(Attempt::new(targets, because, ring));
                }
            }
        }
    }
    if attempts.is_empty() && walk.rejected.is_empty() {
        // Nothing in it but itself.
        walk.reject(&group.number, Why::EmptyGroup);
    }
    Route { attempts, rejected: walk.rejected }
}

struct Walk<'a, W> {
    caller: &'a Caller,
    world: &'a W,
    /// Each extension is visited once: what ends loops also rings nobody twice.
    seen: BTreeSet<&'a ExtensionNumber>,
    rejected: Vec<Rejected>,
}

impl<'a, W: World> Walk<'a, W> {
    fn member(&mut self, number: &'a ExtensionNumber, depth: usize, targets: &mut Vec<Target>) {
        if !self.seen.insert(number) {
            return;
        }
        let Some(extension) = self.world.extension(number) else {
            return self.reject(number, Why::Unknown);
        };
        match &extension.kind {
            Kind::Group { .. } if depth == 0 => self.reject(number, Why::TooLarge),
            Kind::Group { members, .. } => {
                for member in members {
                    self.member(member, depth - 1, targets);
                }
            }
            Kind::Person | Kind::Service => {
                collect(extension, self.caller, self.world, targets, &mut self.rejected);
            }
        }
    }

    fn reject(&mut self, number: &ExtensionNumber, why: Why) {
        self.rejected.push(Rejected { what: number.to_string(), why });
    }
}
