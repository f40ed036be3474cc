// SPDX-License-Identifier: GPL-3.0-or-later

mod authority;
mod certificates;
mod connections;
mod credentials;
mod hostile;

use authority::{Authority, names};
