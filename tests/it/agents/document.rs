//! `docs/openapi.json` says what the admin listener answers: every route of it, to every token, in the
//! shapes that it gives, and no route beside them.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::office::{AGENT, DESIGNER, call_of, caller, house};
use crate::support::eventually::eventually_async;
use crate::support::house::{ACCOUNT, House, OPERATOR, client};
use crate::support::provider::{Answer, Provider};

const TOKENS: [(&str, &str); 4] =
    [("designer", DESIGNER), ("agent", AGENT), ("operator", OPERATOR), ("", "none of ours")];
const CALL: &str = "0d5a1a3c-0000-5000-8000-000000000000";

fn document() -> Value {
    serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap()
}

/// The operation behind a path that a client asks, and the path as the document has it.
fn operation<'d>(document: &'d Value, method: &str, path: &str) -> (&'d str, &'d Value) {
    let fits = |template: &str| {
        let (ours, theirs) = (template.split('/'), path.split('/'));
        template.split('/').count() == path.split('/').count()
            && ours.zip(theirs).all(|(ours, theirs)| ours.starts_with('{') || ours == theirs)
    };
    let paths = document["paths"].as_object().unwrap();
    // A path without variables goes before one with them.
    let (template, item) = paths
        .iter()
        .filter(|(template, _)| fits(template))
        .min_by_key(|(template, _)| template.matches('{').count())
        .unwrap_or_else(|| panic!("{path} is not in the document"));
    (template, &item[method.to_lowercase()])
}

/// What the document says of the bodies of this answer, as a schema that stands alone.
fn schema_of(document: &Value, operation: &Value, status: u16) -> Option<(String, Value)> {
    let response = &operation["responses"][status.to_string()];
    assert!(response.is_object(), "{}: {status} is not in the document", operation["operationId"]);
    let (kind, content) = response["content"].as_object()?.iter().next()?;
    let schema = json!({ "allOf": [content["schema"]], "components": document["components"] });
    Some((kind.clone(), schema))
}

/// Asks, and holds the answer against the document.
async fn ask(
    house: &House,
    method: &str,
    path: &str,
    token: &str,
    body: Option<&Value>,
) -> (u16, Value) {
    let document = document();
    let (_, operation) = operation(&document, method, path);
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = client().request(method, format!("{}{path}", house.admin()));
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.body(body.to_string());
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    let Some((expected, schema)) = schema_of(&document, operation, status) else {
        assert_eq!(response.bytes().await.unwrap().len(), 0, "{path}: {status}");
        return (status, Value::Null);
    };
    let kind = kind.unwrap_or_else(|| panic!("{path}: {status} has no type"));
    assert!(kind.starts_with(&expected), "{path}: {status} is {kind}");
    if expected != "application/json" {
        return (status, Value::Null);
    }
    let answer: Value = response.json().await.unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<_> = validator.iter_errors(&answer).map(|error| error.to_string()).collect();
    assert_eq!(wrong, Vec::<String>::new(), "{path}: {status}: {answer}");
    (status, answer)
}

#[tokio::test]
async fn the_document_names_every_route_and_none_beside_them() {
    let source = include_str!("../../../src/server/admin.rs");
    let routes: BTreeSet<(String, String)> = source
        .split("resource(\"")
        .skip(1)
        .flat_map(|resource| {
            let (path, rest) = resource.split_once("\", ").unwrap();
            let (methods, _) = rest.split_once(", vec![").or(rest.split_once(", step_up")).unwrap();
            let methods = methods.replace("READ", "GET, HEAD").replace('"', "").to_lowercase();
            // The document has no `HEAD` beside a `GET`.
            let methods = methods.split(", ").filter(|method| *method != "head");
            methods.map(|method| (path.to_owned(), method.to_owned())).collect::<Vec<_>>()
        })
        .collect();
    let document = document();
    let documented = document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        item.as_object().unwrap().keys().map(|method| (path.clone(), method.clone()))
    });
    assert_eq!(documented.collect::<BTreeSet<_>>(), routes);
    assert!(routes.len() > 10);
}

#[tokio::test]
async fn each_route_opens_to_the_roles_of_the_document_alone() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let document = document();
    let mut asked = 0;
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let path = template.replace("{call}", CALL).replace("{effect}", CALL);
            if template == "/api/events" {
                continue; // It goes on; see below.
            }
            let allowed: Vec<&String> = operation["security"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|scheme| scheme.as_object().unwrap().keys())
                .collect();
            let open = allowed.is_empty();
            let (status, _) = ask(&house, &method.to_uppercase(), &path, "", None).await;
            assert_eq!(status == 401, !open, "{method} {path} without a token: {status}");
            for (role, token) in TOKENS {
                let (status, _) = ask(&house, &method.to_uppercase(), &path, token, None).await;
                let expected = match role {
                    _ if open || allowed.iter().any(|allowed| *allowed == role) => None,
                    "" => Some(401),
                    _ => Some(403),
                };
                let refused = [401, 403].contains(&status).then_some(status);
                assert_eq!(refused, expected, "{method} {path} as `{role}`");
                asked += 1;
            }
        }
    }
    assert!(asked > 50);
}

#[tokio::test]
async fn a_method_that_a_route_does_not_have_is_told_apart_from_a_route_that_is_not_there() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let ask = async |method: &str, path: &str| {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let asked = client().request(method, format!("{}{path}", house.admin()));
        let answer = asked.bearer_auth(OPERATOR).send().await.unwrap();
        let allowed =
            answer.headers().get("allow").map(|methods| methods.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        let told = answer.json::<Value>().await.unwrap();
        assert!(told["error"].is_string(), "{path}: {told}");
        (status, allowed)
    };
    let document = document();
    for (template, item) in document["paths"].as_object().unwrap() {
        let path = template.replace("{call}", CALL).replace("{effect}", CALL);
        let known = item.as_object().unwrap();
        for method in ["get", "post", "put", "patch", "delete", "trace"] {
            if known.contains_key(method) {
                continue;
            }
            let (status, allowed) = ask(method, &path).await;
            assert_eq!(status, 405, "{method} {path}");
            let allowed = allowed.unwrap().to_lowercase();
            for known in known.keys().filter(|known| *known != "parameters") {
                assert!(allowed.split(", ").any(|one| one == known), "{path}: {allowed}");
            }
            assert!(!allowed.contains(method), "{path}: {allowed}");
        }
    }
    assert_eq!(ask("get", "/api/nothing").await, (404, None));
    assert_eq!(ask("post", "/calls").await, (405, Some("GET, HEAD".into())));
}

#[tokio::test]
async fn answers_have_the_shapes_of_the_document() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let mut phone = caller(&house, "CA60", true).await;
    let call = format!("/api/calls/{}", call_of("CA60"));
    let step_up = format!("{call}/step-up");
    let get = async |path: &str, token| ask(&house, "GET", path, token, None).await;
    let post =
        async |path: &str, token, body: Value| ask(&house, "POST", path, token, Some(&body)).await;

    assert_eq!(get("/api/openapi.json", "").await.1, document());
    assert_eq!(get("/api/calls", OPERATOR).await.1["calls"].as_array().unwrap().len(), 1);
    assert_eq!(get(&call, OPERATOR).await.1["facts"][0]["fact"], "pin");
    assert!(get(&call, AGENT).await.1["age_s"]["pin"].is_u64());
    assert!(
        get(&format!("{call}/journal"), OPERATOR).await.1["turns"].as_array().unwrap().len() > 2
    );
    assert_eq!(get("/api/flows", DESIGNER).await.0, 200);

    // Not in a conference yet, and then in one.
    assert_eq!(post(&step_up, AGENT, json!({ "level": "strong" })).await.0, 409);
    phone.key(&house, "4").await;
    assert_eq!(post(&step_up, AGENT, json!({ "level": "none of the flow's" })).await.0, 422);
    assert_eq!(post(&step_up, AGENT, json!({ "degree": "strong" })).await.0, 400);
    assert_eq!(get(&step_up, AGENT).await.0, 404);
    assert_eq!(post(&step_up, AGENT, json!({ "level": "strong" })).await.0, 202);
    assert_eq!(get(&step_up, AGENT).await.1["result"], "pending");
    assert_eq!(get(&call, AGENT).await.1["step_up"]["level"], "strong");

    let wanted = json!({ "account": ACCOUNT, "level": "aal2", "ttl": "5m" });
    assert_eq!(post("/api/service-codes", OPERATOR, wanted).await.0, 201);
    let wanted = json!({ "account": "99999999", "level": "aal2" });
    assert_eq!(post("/api/service-codes", OPERATOR, wanted).await.0, 404);
    let wanted = json!({ "account": ACCOUNT, "level": "aal3" });
    assert_eq!(post("/api/service-codes", OPERATOR, wanted).await.0, 400);
    let lifted = post("/api/unlock", OPERATOR, json!({ "account": ACCOUNT })).await;
    assert!(!lifted.1["unlocked"].as_array().unwrap().is_empty());
    let unknown = json!({ "account": ACCOUNT, "factor": "birthday" });
    assert_eq!(post("/api/unlock", OPERATOR, unknown).await.0, 400);
    let endless = json!({ "account": "1".repeat(64 * 1024) });
    for path in ["/api/unlock", "/api/service-codes"] {
        assert_eq!(
            post(path, OPERATOR, endless.clone()).await.1["error"],
            "the body is larger than 64 KiB"
        );
    }

    assert_eq!(get("/api/outbox", OPERATOR).await.1, json!({ "dead_letters": [] }));
    for deed in ["retry", "drop"] {
        let path = format!("/api/outbox/{CALL}/{deed}");
        assert_eq!(ask(&house, "POST", &path, OPERATOR, None).await.0, 404);
    }
}

#[tokio::test]
async fn a_dead_letter_has_the_shape_of_the_document() {
    let provider = Provider::start();
    let house = crate::outbox::house("memory:", &provider);
    crate::outbox::refused(&house, &provider, "CA61", "3").await;
    let letter = eventually_async("a dead letter", async || {
        let (_, told) = ask(&house, "GET", "/api/outbox", OPERATOR, None).await;
        told["dead_letters"].get(0).cloned()
    })
    .await;
    let path = format!("/api/outbox/{}", letter["effect"].as_str().unwrap());
    let retry = format!("{path}/retry");
    provider.next(Answer::Error { status: 400, code: Some(21610) });
    assert_eq!(ask(&house, "POST", &retry, OPERATOR, None).await.0, 502);
    assert_eq!(ask(&house, "POST", &retry, OPERATOR, None).await.0, 200);
    assert_eq!(ask(&house, "POST", &format!("{path}/drop"), OPERATOR, None).await.0, 404);
}
