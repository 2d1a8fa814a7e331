//! What becomes of the elements of an accepted request: those that are unsound are listed, the
//! silent rules work on the others, and what is left is stored.

use std::time::SystemTime;

use serde_json::Value;

use super::checks::Document;
use super::dropped::{Changes, Dropped};
use super::elements::ElementFault;
use super::silent::{self, Workspace};
use super::store::{Store, Stored, Violation, iso_8601};
use super::users::Users;

/// Everything that accepted requests left behind.
pub(super) struct Intake {
    pub(super) store: Store,
    pub(super) users: Users,
    pub(super) dropped: Dropped,
    workspace: Workspace,
}

impl Intake {
    /// Keeps at most `records_max` elements and as many users.
    pub(super) fn new(records_max: usize) -> Self {
        Self {
            store: Store::new(records_max),
            users: Users::new(records_max),
            dropped: Dropped::default(),
            workspace: Workspace::default(),
        }
    }

    /// Takes the elements of an accepted request, each with its verdict.
    pub(super) fn take(
        &mut self,
        request: u64,
        document: Document<'_>,
        verdicts: Vec<Result<(), ElementFault>>,
        at: SystemTime,
    ) {
        let arrival = iso_8601(at);
        let texts = document.element_texts();
        let elements = document.into_elements().into_iter().zip(texts).zip(verdicts);
        for (index, ((element, text), verdict)) in elements.enumerate() {
            let mut changes = Changes::default();
            match verdict {
                Ok(()) => {
                    let stored = self.store_element(element, &arrival, &mut changes);
                    self.store.record(request, text, stored);
                }
                Err(ElementFault { code, message }) => {
                    // The client broke a rule, and the server dropped the element for it: both.
                    changes.note_element(code, message.clone());
                    let element = Some(index);
                    self.store.violate(Violation { code, request, element, message });
                }
            }
            self.dropped.add(request, index, changes);
        }
    }

    fn store_element(
        &mut self,
        mut element: Value,
        arrival: &str,
        changes: &mut Changes,
    ) -> Stored {
        let is_kept = silent::apply(&mut element, &mut self.workspace, arrival, changes)
            && match element.get("type").and_then(Value::as_str) {
                Some("customer") => self.users.take_user(&element, changes),
                Some("device") => self.users.take_device(&element, changes),
                _ => {
                    self.users.take_event(&element);
                    true
                }
            };
        match (is_kept, changes.alter()) {
            (false, _) => Stored::Nothing,
            (true, false) => Stored::AsArrived,
            (true, true) => Stored::Changed(element.to_string().into_boxed_str()),
        }
    }
}
