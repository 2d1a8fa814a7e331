//! Where a request is decided: the one place at which all the parts meet, free of I/O and of waiting.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::HeaderMap;
use serde_json::Value;

use super::Options;
use super::budget::{Budget, Peaks, Units};
use super::checks::{self, Account, BODY_BYTES_ADVISED, Body, Document};
use super::elements;
use super::export;
use super::intake::Intake;
use super::replies::{self, Refusal, Reply, Row};
use super::route::{Endpoint, Route};
use super::script::{Fault, FaultRates, Script};
use super::store::Violation;

/// Data API, U: users read back in any 60 s, which no other budget counts.
const USERS_READ_PER_MINUTE: u64 = 1_000;

/// The header that names the app, beside path or query.
const APP_KEY: &str = "moe-appkey";

/// The name under which requests outside the Data API are counted.
const OTHER: &str = "other";

/// One moment on both clocks: windows need the steady one, people the wall's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) steady: Instant,
    pub(super) wall: SystemTime,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    fn unix_seconds(self) -> u64 {
        // A clock before 1970 has no minutes worth telling apart.
        let since = self.wall.duration_since(UNIX_EPOCH);
        since.map_or(0, |since| since.as_secs())
    }
}

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is answered, after a delay where there is one.
    Answer { reply: Reply, delay: Duration },
    /// Its connection is reset.
    Reset,
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        Self::Answer { reply, delay: Duration::ZERO }
    }
}

/// A data request, read whole.
struct DataRequest<'a> {
    /// Counts data requests from 1, in the order in which their last byte was read.
    number: u64,
    endpoint: Endpoint,
    app_id: Option<&'a str>,
    headers: &'a HeaderMap,
    body: &'a Body,
    at: Moment,
}

/// The emulator's whole state, and the order in which it decides.
pub(super) struct Desk {
    account: Account,
    poison: Vec<String>,
    script: Script,
    faults: FaultRates,
    slow: Duration,
    /// Rolled once a data request, whether or not the roll is used: so the n-th request meets the
    /// same fault whatever went before.
    rolls: fastrand::Rng,
    resets: u64,
    budget: Budget,
    read_budget: Budget,
    peaks: Peaks,
    intake: Intake,
    data_requests: u64,
    other_requests: u64,
}

impl Desk {
    pub(super) fn new(options: Options) -> Self {
        Self {
            account: Account::new(options.app_id, options.api_key),
            poison: options.poison,
            script: Script::new(options.answers),
            faults: options.faults,
            slow: options.slow,
            rolls: fastrand::Rng::with_seed(options.seed),
            resets: 0,
            budget: Budget::new(options.users_per_minute, options.events_per_minute),
            read_budget: Budget::new(Some(USERS_READ_PER_MINUTE), None),
            peaks: Peaks::default(),
            intake: Intake::new(options.records_max),
            data_requests: 0,
            other_requests: 0,
        }
    }

    /// Decides a request that was read whole at `at`.
    pub(super) fn decide(
        &mut self,
        route: &Route,
        headers: &HeaderMap,
        body: &Body,
        at: Moment,
    ) -> Outcome {
        let outcome = match route {
            Route::Data { endpoint, app_id } => {
                self.data_requests += 1;
                self.intake.store.count_request(endpoint.name(), body.bytes);
                self.decide_data(&DataRequest {
                    number: self.data_requests,
                    endpoint: *endpoint,
                    app_id: app_id.as_deref().or_else(|| app_id_in_header(*endpoint, headers)),
                    headers,
                    body,
                    at,
                })
            }
            // Looking at the statistics doesn't change them.
            Route::Records { .. }
            | Route::Users { .. }
            | Route::Violations
            | Route::Dropped
            | Route::Stats => return Reply::document(self.page(route)).into(),
            Route::MethodNotAllowed { allow } => {
                let refusal = Refusal::from(&replies::METHOD_NOT_ALLOWED);
                self.refuse_other(refusal.with("allow", allow), body)
            }
            Route::NotFound => self.refuse_other(Refusal::from(&replies::NOT_FOUND), body),
        };
        match &outcome {
            Outcome::Answer { reply, .. } => self.intake.store.count_status(reply.status),
            Outcome::Reset => self.intake.store.count_reset(),
        }
        outcome
    }

    /// One of the emulator's own pages; empty for what is none.
    fn page(&self, route: &Route) -> String {
        let Intake { store, users, dropped, .. } = &self.intake;
        match route {
            Route::Records { offset, limit, with_stored } => {
                store.records_json(*offset, *limit, *with_stored)
            }
            Route::Users { offset, limit, customer_id } => {
                users.to_json(*offset, *limit, customer_id.as_deref())
            }
            Route::Violations => store.violations_json(),
            Route::Dropped => dropped.to_json(),
            Route::Stats => store.stats_json(&self.peaks),
            _ => String::new(),
        }
    }

    fn refuse_other(&mut self, refusal: Refusal, body: &Body) -> Outcome {
        self.other_requests += 1;
        self.intake.store.count_request(OTHER, body.bytes);
        let request_id = format!("sandbox-{OTHER}-{}", self.other_requests);
        Reply::refused(refusal, &request_id).into()
    }

    /// A scripted answer comes first, then a fault, then the verdict on the request itself.
    fn decide_data(&mut self, request: &DataRequest<'_>) -> Outcome {
        let request_id = format!("sandbox-{}", request.number);
        let document = Document::parse(request.endpoint, request.body);
        if let Ok(Document { units, .. }) = &document {
            self.peaks.add(request.at.steady, request.at.unix_seconds(), *units);
        }
        let fault = self.faults.pick(self.rolls.f64());
        if let Some(row) = self.script.next(request.number) {
            return Reply::refused(row.into(), &request_id).into();
        }
        match fault {
            Some(Fault::ServerError) => {
                return Reply::refused((&replies::SERVER_ERROR).into(), &request_id).into();
            }
            Some(Fault::RateLimit) => {
                let refusal = Refusal::from(&replies::RATE_LIMIT).retry_after(1);
                return Reply::refused(refusal, &request_id).into();
            }
            Some(Fault::Reset) => {
                self.resets += 1;
                // In turn: a request that was lost, then one whose answer was lost.
                if self.resets % 2 == 1 {
                    return Outcome::Reset;
                }
            }
            Some(Fault::Slow) | None => {}
        }
        let reply = match self.judge(request, document) {
            Ok(None) => Reply::accepted(&request_id),
            Ok(Some(answer)) => Reply::document(answer),
            Err(refusal) => Reply::refused(refusal, &request_id),
        };
        match fault {
            Some(Fault::Reset) => Outcome::Reset,
            Some(Fault::Slow) => Outcome::Answer { reply, delay: self.slow },
            _ => reply.into(),
        }
    }

    /// Checks a request and does what it asks for; a document where one is the answer.
    fn judge(
        &mut self,
        request: &DataRequest<'_>,
        document: Result<Document<'_>, &'static Row>,
    ) -> Result<Option<String>, Refusal> {
        self.account.check(request.app_id, request.headers, request.body)?;
        if request.endpoint == Endpoint::Authentication {
            self.check_quietly(request);
            return Ok(None);
        }
        checks::check_content_type(request.headers)?;
        self.check_quietly(request);
        match request.endpoint {
            Endpoint::Export => self.export(request, document?).map(Some),
            _ => self.take(request, document?).map(|()| None),
        }
    }

    /// Reads users back, within a budget of its own.
    fn export(
        &mut self,
        request: &DataRequest<'_>,
        document: Document<'_>,
    ) -> Result<String, Refusal> {
        let ids = export::identifiers(document.value())?;
        let units = Units { users: ids.len() as u64, events: 0 };
        self.read_budget.charge(request.at.steady, units).map_err(Refusal::rate_limit)?;
        Ok(export::answer(document.value(), &ids, &self.intake.users))
    }

    /// Judges the elements of a request, charges it and stores what is sound in it.
    fn take(&mut self, request: &DataRequest<'_>, document: Document<'_>) -> Result<(), Refusal> {
        let elements = document.elements()?;
        let kinds = request.endpoint.kinds();
        let verdicts: Vec<_> = elements.iter().map(|one| elements::check(one, kinds)).collect();
        if request.endpoint != Endpoint::Bulk
            && let Some(Err(fault)) = verdicts.first()
        {
            return Err(Refusal::missing_attribute(fault.message.clone()));
        }
        if request.endpoint == Endpoint::Device && !self.has_user(document.value()) {
            let message = "customer_id is expected to be an existing user";
            return Err(Refusal::missing_attribute(message.to_owned()));
        }
        if elements.iter().any(|element| self.is_poison(element)) {
            return Err(Refusal::from(&replies::TYPE_ERROR));
        }
        self.budget.charge(request.at.steady, document.units).map_err(Refusal::rate_limit)?;

        self.intake.store.accept(&request.body.kept, document.units, request.at.wall);
        self.intake.take(request.number, document, verdicts, request.at.wall);
        Ok(())
    }

    /// Lists the rules for whole requests that the API states but lets pass.
    fn check_quietly(&mut self, request: &DataRequest<'_>) {
        let mut violate = |code, message| {
            self.intake.store.violate(Violation {
                code,
                request: request.number,
                element: None,
                message,
            });
        };
        let bytes = request.body.bytes;
        if bytes > BODY_BYTES_ADVISED {
            let message = format!("the body has {bytes} bytes, above {BODY_BYTES_ADVISED}");
            violate("body-over-100-kb", message);
        }
        // Data API, S rule: `MOE-APPKEY: <APP ID>` goes with every request.
        let app_key = request.headers.get(APP_KEY).map(|value| value.as_bytes());
        if app_key != request.app_id.map(str::as_bytes) {
            violate("moe-appkey", "MOE-APPKEY is missing or not the app id".to_owned());
        }
    }

    /// Data API, U: devices are created for existing users only.
    fn has_user(&self, device: &Value) -> bool {
        let id = device.get("customer_id").and_then(Value::as_str);
        id.is_some_and(|id| self.intake.users.may_exist(id))
    }

    fn is_poison(&self, element: &Value) -> bool {
        let id = element.get("customer_id").and_then(Value::as_str);
        id.is_some_and(|id| self.poison.iter().any(|poison| poison == id))
    }
}

/// A test of a connection may name its app in the header alone: its path is documented without one.
fn app_id_in_header(endpoint: Endpoint, headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(APP_KEY).filter(|_| endpoint == Endpoint::Authentication);
    header.and_then(|value| value.to_str().ok())
}
