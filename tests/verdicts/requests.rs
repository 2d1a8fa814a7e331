//! What every request carries.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{
    scene::{APP, KEY, Scene, finish, ids},
    server::Server,
};

#[test]
fn every_request_has_its_headers_and_a_body_within_the_limit() {
    let scene = Scene::new();
    let filler = "x".repeat(400);
    let rows: String = ids(900).iter().map(|id| format!("{id},{filler}\n")).collect();
    scene.write("users.csv", format!("customer_id,city\n{rows}"));
    let server = Server::scripted([]);
    scene.import(&server, &["--api-id", "OTHER-ID"]).assert_code(0);
    let requests = server.requests();
    assert!(requests.len() >= 4, "{} requests", requests.len());
    let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("OTHER-ID:{KEY}")));
    for request in &requests {
        assert_eq!(request.line, format!("POST /v1/transition/{APP} HTTP/1.1"));
        assert_eq!(request.header("authorization"), [expected.as_str()]);
        assert_eq!(request.header("content-type"), ["application/json"]);
        assert_eq!(request.header("moe-appkey"), [APP]);
        assert!(request.body.len() <= 100_000, "{} bytes", request.body.len());
        assert_eq!(request.header("content-length"), [request.body.len().to_string()]);
        assert!(request.header("transfer-encoding").is_empty());
        let json = request.json();
        assert_eq!(json["type"], "transition");
        let elements = json["elements"].as_array().expect("elements");
        assert!(!elements.is_empty());
        for element in elements {
            assert_eq!(element["type"], "customer");
            assert_eq!(element["attributes"]["city"], filler.as_str());
        }
    }
    let mut delivered = server.delivered();
    delivered.sort();
    assert_eq!(delivered, ids(900), "each once");
}

#[test]
fn the_user_name_is_the_app_id_by_default_and_the_key_may_come_from_a_file() {
    let scene = Scene::with_users(1);
    // A line end is no part of a key.
    let file = scene.write("key", "from-a-file\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    }
    let server = Server::scripted([]);
    scene.import(&server, &["--api-key-file", file.to_str().expect("UTF-8")]).assert_code(0);
    let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{APP}:from-a-file")));
    assert_eq!(server.requests()[0].header("authorization"), [expected.as_str()]);
}

#[test]
fn the_ids_may_come_from_the_environment_and_flags_go_before_it() {
    let scene = Scene::with_users(1);
    for (more, app, api) in [
        (vec![], "ENV-APP", "ENV-API"),
        (vec!["--app-id", APP], APP, "ENV-API"),
        (vec!["--app-id", APP, "--api-id", "API"], APP, "API"),
    ] {
        let server = Server::scripted([]);
        let url = server.url();
        let import = ["import", "users.csv", "--endpoint", &url];
        let mut command = scene.command(&[&import[..], &more].concat());
        command.env("MOENGAGE_APP_ID", "ENV-APP").env("MOENGAGE_DATA_API_ID", "ENV-API");
        finish(command).assert_code(0);
        let requests = server.requests();
        assert_eq!(requests[0].line, format!("POST /v1/transition/{app} HTTP/1.1"));
        assert_eq!(requests[0].header("moe-appkey"), [app]);
        let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{api}:{KEY}")));
        assert_eq!(requests[0].header("authorization"), [expected.as_str()]);
    }
}
