//! The page in Chromium: no error, no request, and all that it promises to do.

use serde_json::{Value, json};

use crate::{missing, support::Lab, webdriver::Browser};

/// The problems as they stand in the table: code and count of what is shown.
const LINES: &str = "return [...document.querySelectorAll('#problems tbody tr')].filter(row => !row.hidden)\
    .map(row => [row.dataset.code, Number(row.cells[2].dataset.value)])";

fn codes(lines: &Value) -> Vec<&str> {
    lines.as_array().expect("lines").iter().filter_map(|line| line[0].as_str()).collect()
}

fn counts(lines: &Value) -> Vec<u64> {
    lines.as_array().expect("lines").iter().filter_map(|line| line[1].as_u64()).collect()
}

#[test]
fn the_page_works_in_a_browser() {
    let Some(browser) = Browser::start() else {
        // Where one is meant to be, as in CI, its absence is a failure.
        let is_required = std::env::var_os("MOEBULK_BROWSER").is_some();
        assert!(!is_required, "MOEBULK_BROWSER is set, and chromium or chromedriver is missing");
        missing::skip("the page in a browser", "chromium or chromedriver is missing");
        return;
    };
    let lab = Lab::new();
    lab.copy_samples();
    assert_eq!(lab.run(&["validate", "customers-dirty.csv", "--run-dir", "dirty"]).code, 1);
    let import = ["import", "customers.csv", "--sandbox", "--run-dir", "import"];
    assert_eq!(lab.run(&import).code, 0);

    // What the browser's own first page asked for is not ours.
    browser.run("location.href = 'about:blank'");
    browser.requests();
    for run_dir in ["dirty", "import"] {
        let page = lab.path(&format!("{run_dir}/report.html"));
        browser.open(&page);
        // A page that scrolls to the side does not fit; the two widths have drawings of their own.
        for (width, shown) in [(390, "narrow"), (1_200, "wide")] {
            let metrics =
                json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": true});
            browser.devtools("Emulation.setDeviceMetricsOverride", metrics);
            let found = browser.run("return document.documentElement.scrollWidth");
            assert_eq!(found, width, "{run_dir} at {width} pixels");
            let charts = browser.run(
                "return [...document.querySelectorAll('.chart')].filter(chart => chart.clientHeight > 0)\
                 .map(chart => chart.classList.contains('wide') ? 'wide' : 'narrow')",
            );
            let charts = charts.as_array().expect("charts");
            // Words of a drawing stay in its card and apart from each other.
            let astray = browser.run(
                "const texts = [...document.querySelectorAll('.chart text')].filter(text => text.getBoundingClientRect().width > 0);\
                 const box = found => found.getBoundingClientRect();\
                 const out = texts.filter(text => box(text).right > box(text.closest('.card')).right || box(text).left < box(text.closest('.card')).left);\
                 const meet = (a, b) => a.left < b.right && b.left < a.right && a.top + 4 < b.bottom && b.top + 4 < a.bottom;\
                 const hit = texts.filter((text, at) => texts.slice(at + 1).some(other => other.ownerSVGElement === text.ownerSVGElement && meet(box(text), box(other))));\
                 return [...out, ...hit].map(text => text.textContent)",
            );
            assert_eq!(astray, json!([]), "{run_dir} at {width} pixels");
            assert!(charts.len() >= 3 && charts.iter().all(|found| found == shown), "{charts:?}");
        }
        // Text and ground change with the setting; both are far apart.
        let [light, dark] = ["light", "dark"].map(|value| {
            let features = json!([{"name": "prefers-color-scheme", "value": value}]);
            browser.devtools("Emulation.setEmulatedMedia", json!({"features": features}));
            browser.run(
                "const style = getComputedStyle(document.body);\
                 const sum = color => color.match(/\\d+/g).slice(0, 3).reduce((all, part) => all + +part, 0);\
                 return sum(style.backgroundColor) - sum(style.color)",
            )
        });
        assert!(light.as_i64().is_some_and(|apart| apart > 500), "{light}");
        assert!(dark.as_i64().is_some_and(|apart| apart < -500), "{dark}");
        let paper = browser.devtools("Page.printToPDF", json!({"preferCSSPageSize": true}));
        assert!(paper["data"].as_str().is_some_and(|pdf| pdf.len() > 10_000), "{run_dir}");
    }

    browser.open(&lab.path("dirty/report.html"));
    let lines = browser.run(LINES);
    assert_eq!(codes(&lines).len(), 12, "{lines}");
    // By keyboard: codes upwards, then downwards, then counts with the largest first.
    let mut sorted = codes(&lines);
    sorted.sort_unstable();
    browser.type_into("#problems th:nth-child(1) button", "\u{e007}");
    assert_eq!(codes(&browser.run(LINES)), sorted);
    let state = "return document.querySelector('#problems th').getAttribute('aria-sort')";
    assert_eq!(browser.run(state), "ascending");
    browser.type_into("#problems th:nth-child(1) button", "\u{e007}");
    sorted.reverse();
    assert_eq!(codes(&browser.run(LINES)), sorted);
    assert_eq!(browser.run(state), "descending");
    browser.type_into("#problems th:nth-child(3) button", "\u{e007}");
    let by_count = counts(&browser.run(LINES));
    assert!(by_count.is_sorted_by(|one, other| one >= other), "{by_count:?}");
    assert_eq!(by_count[0], 3);

    let shown = "return document.getElementById('shown').textContent";
    assert_eq!(browser.run(shown), "12 problems");
    browser.type_into("#find", "CUSTOMER_ID empty");
    assert_eq!(codes(&browser.run(LINES)), ["id-missing"]);
    assert_eq!(browser.run(shown), "1 of 12 problems");
    browser.run("const find = document.getElementById('find'); find.value = ''; find.dispatchEvent(new Event('input'))");
    let choose = |id: &str, value: &str| {
        browser.run(&format!(
            "const choice = document.getElementById('{id}'); choice.value = '{value}';\
             choice.dispatchEvent(new Event('change'))"
        ));
    };
    choose("severity", "warning");
    assert_eq!(codes(&browser.run(LINES)), ["date-as-text", "id-lookalike"]);
    choose("severity", "");
    choose("code", "nul-byte");
    assert_eq!(codes(&browser.run(LINES)), ["nul-byte"]);

    // Every picture has its words, every field its name, and no id is there twice.
    let bare = browser.run(
        "const ids = [...document.querySelectorAll('[id]')].map(found => found.id);\
         return [...document.querySelectorAll('svg:not([aria-hidden])')]\
           .filter(svg => !svg.querySelector('title').textContent || !svg.querySelector('desc').textContent).length\
           + [...document.querySelectorAll('input, select')].filter(field => !field.labels.length).length\
           + ids.length - new Set(ids).size",
    );
    assert_eq!(bare, 0);

    assert_eq!(browser.console(), Vec::<String>::new(), "the console has nothing to say");
    let requests = browser.requests();
    let others = requests.iter().filter(|url| {
        let is_page = url.starts_with("file://") && url.ends_with("/report.html");
        // An icon in the page's own text, so that none is asked for.
        !is_page && *url != "data:," && !url.starts_with("chrome://")
    });
    assert_eq!(others.count(), 0, "{requests:?}");
    assert_eq!(requests.iter().filter(|url| url.starts_with("file://")).count(), 3, "{requests:?}");
}
