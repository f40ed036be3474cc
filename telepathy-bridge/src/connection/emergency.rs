// SPDX-License-Identifier: GPL-3.0-or-later
//! The numbers of help, as the service knows them for this country and its lines.

use zbus::zvariant::OwnedValue;

use super::Connection;
use crate::{definition::connection::SERVICE_POINT, outbox::Outbox, service::Answer};

/// Service_Point_Type.
const EMERGENCY: u32 = 1;

/// `((us)as)`: what is called, and by which numbers.
type Point = ((u32, String), Vec<String>);

impl Connection {
    /// The service points: those of the service, and before it has told them those that mean an
    /// emergency wherever one is.
    pub(super) fn service_points(&self) -> Vec<Point> {
        if self.emergency_numbers.is_empty() {
            let numbers = sipwitch_core::routing::emergency::UNIVERSAL;
            let numbers = numbers.iter().map(|number| (*number).to_owned()).collect();
            return vec![((EMERGENCY, "urn:service:sos".into()), numbers)];
        }
        let point = |(service, numbers): &(String, Vec<String>)| {
            ((EMERGENCY, format!("urn:service:{service}")), numbers.clone())
        };
        self.emergency_numbers.iter().map(point).collect()
    }

    /// Whether a contact is help.
    pub(super) fn is_emergency(&self, identifier: &str) -> bool {
        let mut points = self.service_points().into_iter();
        points.any(|(_, numbers)| numbers.iter().any(|number| number == identifier))
    }

    /// The service has told its numbers.
    pub(crate) fn emergency_numbers_answered(
        &mut self,
        answer: Answer<OwnedValue>,
        outbox: &mut Outbox,
    ) {
        // Without them there are those that are known here.
        if let Ok(numbers) = answer {
            self.emergency_numbers_known(&numbers, outbox);
        }
    }

    pub(super) fn emergency_numbers_known(&mut self, numbers: &OwnedValue, outbox: &mut Outbox) {
        let numbers = numbers.try_clone().ok();
        let numbers =
            numbers.and_then(|numbers| Vec::<(String, Vec<String>)>::try_from(numbers).ok());
        let Some(numbers) = numbers else { return };
        let before = self.service_points();
        self.emergency_numbers = numbers;
        let now = self.service_points();
        if now != before {
            outbox.signal(&self.id.path(), &SERVICE_POINT, "ServicePointsChanged", (now,));
        }
    }
}
