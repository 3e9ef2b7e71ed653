//! What the API answers, and to whom.

use serde_json::{Value, json};

use crate::harness::{FakeGuard, Journal, Node, until};

const HTTP: &str = "[http]\nlisten = \"127.0.0.1:0\"\n";

#[test]
fn a_setting_reaches_the_guard_and_the_logbook() {
    let node = Node::started("");
    let guard = FakeGuard::start(node.path());
    let body = json!({"permissive_memory_management": true, "strict.floor": "12"});
    let response = node.ask("PATCH", "/v1/settings", Some(&body));
    assert_eq!(response.status, 200, "{}", response.detail());
    assert_eq!(guard.values_of("strict.floor"), ["12%"]);
    let one = node.get("/v1/settings/strict.floor");
    assert_eq!((&one["value"], &one["source"]), (&json!("12%"), &json!("setting")));
    assert_eq!(node.get("/v1/status")["guard"]["policy"], "permissive");
    let log = node.get("/v1/log");
    assert_eq!(log["count"], 1);
    let entry = &log["results"][0];
    assert_eq!((&entry["state"], &entry["who"]), (&json!("success"), &json!("root")));
    assert!(entry["from"].as_str().unwrap().starts_with("uid 0, pid "), "{entry}");
    let what = "permissive_memory_management: false to true, strict.floor: 10% to 12%";
    assert_eq!(entry["what"], what);
    let response = node.ask("PATCH", "/v1/settings", Some(&json!({"strict.floor": null})));
    assert_eq!(response.status, 200);
    assert_eq!(node.get("/v1/settings/strict.floor")["value"], "10%");
}

#[test]
fn what_is_not_allowed_changes_nothing_and_names_the_field() {
    let node = Node::started("");
    let guard = FakeGuard::start(node.path());
    let refused = |body: Value| {
        let response = node.ask("PATCH", "/v1/settings", Some(&body));
        let body: Value = response.json().unwrap();
        (response.status, body["field"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(refused(json!({"strict.floor": "99%"})), (400, "strict.floor".into()));
    assert_eq!(refused(json!({"colour": "blue"})), (400, "colour".into()));
    assert_eq!(refused(json!({"strict.floor": [1]})), (400, "strict.floor".into()));
    // Each alone would do: the guard looks at them together.
    let together = json!({"strict.floor_min": "2GiB", "strict.floor_max": "1GiB"});
    assert_eq!(refused(together), (400, "strict.floor_min".into()));
    let one_good = json!({"strict.kernel_kills": 3, "strict.floor": "99%"});
    assert_eq!(refused(one_good).0, 400);
    assert!(guard.values_of("strict.kernel_kills").is_empty());
    assert_eq!(node.ask("GET", "/v1/settings/colour", None).status, 404);
}

#[test]
fn without_a_guard_a_setting_is_kept_for_the_next_one() {
    let mut node = Node::started("");
    let body = json!({"permissive_memory_management": "yes"});
    let response = node.ask("PATCH", "/v1/settings", Some(&body));
    assert_eq!(response.status, 200, "{}", response.detail());
    let setting = node.get("/v1/settings/permissive_memory_management");
    assert_eq!((&setting["value"], &setting["in_force"]), (&json!(true), &json!(false)));
    assert_eq!(node.ask("GET", "/v1/status", None).status, 503);
    node.kill();
    let guard = FakeGuard::start(node.path());
    node.start();
    until("the setting reaches the guard", || {
        guard.values_of("permissive_memory_management") == ["true"]
    });
    until("the change ends", || node.get("/v1/log")["results"][0]["state"] == "success");
    let setting = node.get("/v1/settings/permissive_memory_management");
    assert_eq!((&setting["value"], &setting["in_force"]), (&json!(true), &json!(true)));
}

#[test]
fn the_platforms_form_is_answered_in_its_ways() {
    let node = Node::started(HTTP);
    let _guard = FakeGuard::start(node.path());
    let token = node.token("shop", &["read", "settings"]);
    let with = format!("authorization: Token {token}\r\n");
    let form = format!("{with}content-type: application/x-www-form-urlencoded\r\n");
    let path = "/v2/app/shop/?destroyed=false";
    let (status, body) = node.over_tcp(&format!("GET {path}"), &with, "");
    let app: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &app["permissive_memory_management"]), (200, &json!(false)));
    let patch = format!("PATCH {path}");
    let (status, body) = node.over_tcp(&patch, &form, "permissive_memory_management=True");
    let app: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &app["permissive_memory_management"]), (200, &json!(true)));
    let (status, body) = node.over_tcp(&patch, &form, "permissive_memory_management=perhaps");
    let problem: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 400);
    assert_eq!(
        problem["permissive_memory_management"],
        json!(["\"perhaps\" is neither true nor false"])
    );
    let (status, body) = node.over_tcp(&patch, &form, "varnish_enabled=True");
    assert!(status == 400 && body.contains("\"varnish_enabled\":["), "{body}");
    assert_eq!(node.over_tcp(&format!("GET {path}"), "", "").0, 401);
    assert_eq!(node.over_tcp("GET /v2/app/other/", &with, "").0, 403);
    assert_eq!(node.over_tcp("GET /v2/app/shop/nothing/", &with, "").0, 404);
    assert_eq!(node.over_tcp("GET /nothing", "", "").0, 401, "strangers learn nothing");
    assert_eq!(node.over_tcp("DELETE /v2/app/shop/", &with, "").0, 405);
    assert_eq!(node.over_tcp(&patch, &with, "x").0, 415);
    assert_eq!(node.over_tcp("GET /healthz", "", "").0, 200);
    let bearer = format!("authorization: Bearer {token}\r\n");
    assert_eq!(node.over_tcp("GET /v2/app/shop/flavor/", &bearer, "").0, 200);
}

#[test]
fn a_token_may_what_its_rights_say_and_nothing_when_it_is_removed() {
    let node = Node::started(HTTP);
    let _guard = FakeGuard::start(node.path());
    let reader = format!("authorization: Token {}\r\n", node.token("reader", &["read"]));
    let setter = format!("authorization: Token {}\r\n", node.token("setter", &["settings"]));
    let json = "content-type: application/json\r\n";
    let change = "{\"strict.kernel_kills\": 4}";
    assert_eq!(node.over_tcp("GET /v1/settings", &reader, "").0, 200);
    assert_eq!(node.over_tcp("PATCH /v1/settings", &format!("{reader}{json}"), change).0, 403);
    assert_eq!(node.over_tcp("GET /v1/settings", &setter, "").0, 403);
    assert_eq!(node.over_tcp("PATCH /v1/settings", &format!("{setter}{json}"), change).0, 200);
    for path in ["/v1/tokens", "/v1/status?x", "/metrics", "/openapi.json", "/v1/log"] {
        assert_eq!(node.over_tcp(&format!("GET {path}"), &setter, "").0, 403, "{path}");
    }
    assert_eq!(node.over_tcp("GET /v1/tokens", &reader, "").0, 403, "root's, on the node, alone");
    assert_eq!(node.ask("DELETE", "/v1/tokens/reader", None).status, 204);
    assert_eq!(node.over_tcp("GET /v1/settings", &reader, "").0, 401);
    let tokens = node.get("/v1/tokens");
    assert_eq!(tokens["tokens"].as_array().unwrap().len(), 1);
    assert!(!tokens.to_string().contains("headroom_"), "{tokens}");
    let who: Vec<_> = node.get("/v1/log")["results"].as_array().unwrap().clone();
    assert!(who.iter().any(|entry| entry["who"] == "token setter"), "{who:?}");
}

#[test]
fn pages_of_the_logbook_lead_through_all_of_it() {
    let node = Node::started("");
    let _guard = FakeGuard::start(node.path());
    for kills in 1..=5 {
        let body = json!({"strict.kernel_kills": kills});
        assert_eq!(node.ask("PATCH", "/v1/settings", Some(&body)).status, 200);
    }
    let mut next = Some("/logbook/v1/logbooks/shop/flows?limit=2".to_owned());
    let mut flows = Vec::new();
    while let Some(path) = next {
        let page = node.get(&path);
        assert_eq!(page["count"], 5);
        flows.extend(page["results"].as_array().unwrap().clone());
        next = page["next"].as_str().map(ToOwned::to_owned);
    }
    assert_eq!(flows.len(), 5);
    let flow = &flows[0];
    assert_eq!(flow["progress"], json!({"running": [], "total": 1, "completed": 1}));
    assert_eq!((&flow["state"], &flow["name"]), (&json!("success"), &json!("update_node")));
    assert_eq!(flow["tracker"]["description"], "strict.kernel_kills: 4 to 5");
    for bad in ["limit=0", "limit=501", "offset=-1", "limit=x", "limit=99999999999999999999"] {
        let path = format!("/v1/log?{bad}");
        assert_eq!(node.ask("GET", &path, None).status, 400, "{bad}");
    }
}

#[test]
fn incidents_come_from_the_journal_while_it_grows_and_goes_round() {
    let node = Node::started("");
    let mut journal = Journal::create(node.path(), 64);
    for incident in 1..=40 {
        journal.storm(incident, "php secret=1");
        if incident % 10 == 0 {
            let count =
                || node.get("/v1/incidents?limit=500")["incidents"].as_array().unwrap().len();
            until("the incidents are there", || count() as u64 == incident);
        }
    }
    let found = node.get("/v1/incidents?limit=2");
    let ids: Vec<_> =
        found["incidents"].as_array().unwrap().iter().map(|i| i["id"].clone()).collect();
    assert_eq!(ids.len(), 2);
    let id = ids[1].as_str().unwrap();
    assert!(id.ends_with("-40"), "{id}");
    let one = node.get(&format!("/v1/incidents/{id}"));
    assert_eq!(one["verdicts"][0]["cmdline"], "php secret=1");
    assert_eq!(node.ask("GET", "/v1/incidents/x", None).status, 404);
    assert_eq!(node.ask("GET", "/v1/incidents?since=yesterday", None).status, 400);
    let metrics = node.ask("GET", "/metrics", None);
    let metrics = String::from_utf8(metrics.body).unwrap();
    assert!(metrics.contains("headroom_incidents_total 40\n"), "{metrics}");
    assert!(metrics.contains("headroom_verdicts_total{action=\"slay\",trigger=\"floor\"} 40\n"));
    assert!(metrics.contains("headroom_guard_up 0\n"));
}

#[test]
fn a_stop_is_in_order_and_a_second_agent_is_refused() {
    let mut node = Node::started("");
    let second = node.command().output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("agent.sock"), "{said}");
    assert_eq!(node.get("/healthz")["ok"], true);
    assert_eq!(node.stop(), Some(0));
    node.start();
    assert_eq!(node.get("/healthz")["store_is_kept"], true);
}

#[test]
fn a_bad_configuration_is_said_with_its_place() {
    for (config, said) in [
        ("colour = 1\n", "line 2: unknown key `colour`"),
        ("[http]\nlisten = \"0.0.0.0:1\"\n", "without TLS only a loopback address"),
        ("[http]\nlisten = \"nowhere\"\n", "line 3"),
        ("[allow]\nread = \"*\"\n", "line 3"),
    ] {
        let node = Node::new(config);
        let output = node.command().output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{stderr}");
        assert!(stderr.contains("agent.toml: ") && stderr.contains(said), "{stderr}");
    }
}
