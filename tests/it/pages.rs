//! The pages: who sees what in a browser, and that no page tells more than the API.

use reqwest::Response;

use crate::agents::call_of;
use crate::agents::office::{AGENT, CALLER, DESIGNER, caller, house};
use crate::support::house::{ACCOUNT, House, OPERATOR, PIN, client};
use crate::support::provider::Provider;

/// Asks as a browser does that was given this password.
async fn browse(house: &House, path: &str, password: &str) -> Response {
    let request = client().get(format!("{}{path}", house.admin()));
    request.basic_auth("anybody", Some(password)).send().await.unwrap()
}

async fn page(house: &House, path: &str, password: &str) -> String {
    let response = browse(house, path, password).await;
    assert_eq!(response.status(), 200, "{path}");
    response.text().await.unwrap()
}

#[tokio::test]
async fn an_operator_sees_the_flows_the_calls_and_the_way_of_one() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let _phone = caller(&house, "CA30", true).await;
    let call = call_of("CA30");

    let overview = page(&house, "/", OPERATOR).await;
    assert!(overview.contains("<a href=\"/flows/desk\">desk</a>"), "{overview}");
    assert!(overview.contains(&format!("<a href=\"/calls/{call}\">")), "{overview}");
    assert!(overview.contains("http-equiv=\"refresh\""), "what goes on is asked for anew");

    let shown = page(&house, &format!("/calls/{call}"), OPERATOR).await;
    for told in ["desk.pin <i>ok</i>", "desk.menu", "<span class=\"mark good\">pin</span>"] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    let way = format!("/calls/{call}/ways/desk.svg");
    assert!(shown.contains(&format!("<img src=\"{way}?turns=3\"")), "{shown}");
    let drawn = browse(&house, &way, OPERATOR).await;
    assert_eq!(drawn.headers()["content-type"], "image/svg+xml");
    assert!(drawn.text().await.unwrap().contains("desk: the way of a call"));

    let flow = page(&house, "/flows/desk", OPERATOR).await;
    assert!(flow.contains("/flows/desk/picture.svg") && flow.contains("/flows/desk/statement.md"));
    assert!(page(&house, "/flows/desk/picture.svg", OPERATOR).await.starts_with("<svg"));
    let statement = page(&house, "/flows/desk/statement.md", OPERATOR).await;
    assert!(statement.starts_with("# Assurance statement"), "{statement}");

    let asked = browse(&house, &format!("/calls?id=%20{call}"), OPERATOR).await;
    assert_eq!(asked.url().path(), format!("/calls/{call}"), "by its id");
    for path in [
        "/calls?id=nonsense",
        "/calls",
        "/calls/nonsense",
        "/flows/none",
        "/flows/none/statement.md",
    ] {
        assert_eq!(browse(&house, path, OPERATOR).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn each_role_opens_its_own_pages() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let _phone = caller(&house, "CA31", true).await;
    let call = format!("/calls/{}", call_of("CA31"));
    let (way, asked) = (format!("{call}/ways/desk.svg"), format!("/calls?id={}", call_of("CA31")));
    // By operator, agent, designer, and a password that is no token.
    let routes = [
        ("/", [200, 200, 200, 401]),
        ("/flows/desk", [200, 403, 200, 401]),
        ("/flows/desk/picture.svg", [200, 403, 200, 401]),
        ("/flows/desk/statement.md", [200, 403, 200, 401]),
        (asked.as_str(), [200, 200, 403, 401]),
        (call.as_str(), [200, 200, 403, 401]),
        (way.as_str(), [200, 403, 403, 401]),
    ];
    for (path, expected) in routes {
        for (token, status) in [OPERATOR, AGENT, DESIGNER, "none"].into_iter().zip(expected) {
            let response = browse(&house, path, token).await;
            assert_eq!(response.status(), status, "{path} with {token}");
            let headers = response.headers();
            assert_eq!(headers["cache-control"], "no-store", "{path}");
            assert!(
                headers["content-security-policy"]
                    .to_str()
                    .unwrap()
                    .starts_with("default-src 'none'")
            );
            let challenge = headers.get("www-authenticate").map(|value| value.to_str().unwrap());
            let expected = (status == 401).then_some("Basic realm=\"callgate\", charset=\"UTF-8\"");
            assert_eq!(challenge, expected, "{path}");
            let text = response.text().await.unwrap();
            assert!(!text.contains("<script"), "{path}");
        }
        let nobody = client().get(format!("{}{path}", house.admin())).send().await.unwrap();
        assert_eq!(nobody.status(), 401, "{path}");
        let posted =
            client().post(format!("{}{path}", house.admin())).basic_auth("a", Some(OPERATOR));
        assert_eq!(posted.send().await.unwrap().status(), 405, "{path}");
    }
    let overview = page(&house, "/", DESIGNER).await;
    assert!(overview.contains("desk") && !overview.contains("/calls"), "{overview}");
    let overview = page(&house, "/", AGENT).await;
    assert!(!overview.contains("desk") && overview.contains("action=\"/calls\""), "{overview}");
}

/// A browser sends what it was told once along with whatever another site has it post.
#[tokio::test]
async fn the_api_takes_no_token_that_a_browser_remembers() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    for path in ["/api/calls", "/api/flows", "/api/outbox"] {
        assert_eq!(browse(&house, path, OPERATOR).await.status(), 401, "{path}");
    }
    let body = "{\"account\": \"12345678\", \"factor\": \"pin\"}";
    let post = client().post(format!("{}/api/unlock", house.admin())).body(body);
    assert_eq!(post.basic_auth("a", Some(OPERATOR)).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn no_page_tells_who_calls() {
    let provider = Provider::start();
    let house = house("memory:", &provider);
    let mut phone = caller(&house, "CA32", true).await;
    phone.key(&house, "1").await;
    let call = call_of("CA32");
    let paths = ["/".to_owned(), format!("/calls/{call}"), format!("/calls/{call}/ways/desk.svg")];
    for path in paths {
        let text = page(&house, &path, OPERATOR).await;
        for secret in [CALLER, &CALLER[1..], ACCOUNT, PIN, "Ada", "CA32"] {
            assert!(!text.contains(secret), "{secret}: {path}");
        }
    }
    let seen = page(&house, &format!("/calls/{call}"), AGENT).await;
    for secret in [CALLER, ACCOUNT, PIN, "1234.56"] {
        assert!(!seen.contains(secret), "{secret}: {seen}");
    }
    assert!(seen.contains("<span class=\"mark good\">pin</span>"), "{seen}");
}
