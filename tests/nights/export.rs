//! Exports of users, and the import of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{Ended, Home, Run, Server};

/// A user as an export has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: String,
    pub city: String,
    pub score: u32,
}

impl User {
    pub fn new(number: u32) -> Self {
        Self {
            id: format!("user-{number:05}"),
            city: format!("city {}", number % 9),
            score: number,
        }
    }

    /// A row that the check rejects: its score is no number.
    pub fn rejected(number: u32) -> String {
        format!("user-{number:05},city,none\n")
    }

    pub fn row(&self) -> String {
        format!("{},{},{}\n", self.id, self.city, self.score)
    }

    fn attributes(&self) -> Value {
        json!({"city": self.city, "score": self.score})
    }
}

pub const HEADER: &str = "customer_id,city,score\n";

/// The mapping of all exports here.
pub const MAPPING: &str = "kind = \"users\"\n[columns]\ncustomer_id = { to = \"customer_id\" }\n\
    city = { type = \"string\" }\nscore = { type = \"double\" }\n";

pub fn csv<'a>(users: impl IntoIterator<Item = &'a User>) -> String {
    users.into_iter().fold(HEADER.to_owned(), |text, user| text + &user.row())
}

/// A place with a server and a state, where nights are imported.
pub struct Nights {
    pub home: Home,
    pub server: Server,
    /// What imports find in their environment beside the key.
    pub environment: Vec<(String, String)>,
}

impl Nights {
    pub fn new(server_args: &[&str]) -> Self {
        let home = Home::new();
        home.write("mapping.toml", MAPPING);
        let rates = ["--users-per-minute", "unlimited", "--events-per-minute", "unlimited"];
        let server = Server::start(&home, &[rates.as_slice(), server_args].concat());
        Self { home, server, environment: Vec::new() }
    }

    /// The arguments of an import.
    pub fn args<'a>(&'a self, flags: &[&'a str]) -> Vec<&'a str> {
        let own = [
            "--endpoint",
            &self.server.url,
            "--app-id",
            "SANDBOX",
            "--users-per-minute",
            "unlimited",
            "--events-per-minute",
            "unlimited",
            "--only-changed",
            "--yes",
            "--progress",
            "off",
            "--output",
            "json",
        ];
        [["import"].as_slice(), flags, &own].concat()
    }

    pub fn import(&self, flags: &[&str]) -> Ended {
        self.spawn(flags).wait()
    }

    pub fn spawn(&self, flags: &[&str]) -> Run {
        let mut command = self.home.command(&self.args(flags));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        self.home.start(command)
    }

    /// Every user at the server: id and attributes.
    pub fn at_server(&self) -> BTreeMap<String, Value> {
        let mut users = BTreeMap::new();
        loop {
            let page = self.server.page(&format!("users?offset={}&limit=1000", users.len()));
            let found = page["users"].as_array().expect("users");
            for user in found {
                let id = user["customer_id"].as_str().expect("an id").to_owned();
                users.insert(id, user["attributes"].clone());
            }
            if found.is_empty() {
                assert_eq!(page["count"], users.len());
                return users;
            }
        }
    }

    /// Asserts that every one of these users is at the server with exactly these values.
    pub fn assert_holds<'a>(&self, users: impl IntoIterator<Item = &'a User>) {
        let found = self.at_server();
        for user in users {
            assert_eq!(found.get(&user.id), Some(&user.attributes()), "{}", user.id);
        }
    }
}

/// A count of a report.
pub fn count(report: &Value, part: &str, name: &str) -> u64 {
    report[part][name].as_u64().unwrap_or_else(|| panic!("{part}.{name}: {report}"))
}
