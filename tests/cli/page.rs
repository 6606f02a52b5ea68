//! `report.html`: one page that stands alone, says what the certificate says, and escapes what it is told.

use crate::common::*;
use crate::naive::Grid;
use scraper::{Html, Selector};

fn select<'a>(page: &'a Html, selector: &str) -> Vec<scraper::ElementRef<'a>> {
    page.select(&Selector::parse(selector).unwrap()).collect()
}

fn text(page: &Html, selector: &str) -> String {
    select(page, selector).iter().flat_map(|e| e.text()).collect::<Vec<_>>().join(" ")
}

/// What is wrong with a page as HTML, or as a page that needs nothing but itself.
fn faults(source: &str) -> Vec<String> {
    let page = Html::parse_document(source);
    let mut faults: Vec<String> = page.errors.iter().map(ToString::to_string).collect();
    for forbidden in ["script", "iframe", "object", "embed", "form", "base"] {
        faults.extend(select(&page, forbidden).iter().map(|_| format!("<{forbidden}>")));
    }
    for element in select(&page, "*") {
        for (name, value) in element.value().attrs() {
            let loads = ["src", "href", "xlink:href", "srcset", "action", "data"].contains(&name);
            if (loads && !value.starts_with("data:")) || name.starts_with("on") {
                faults.push(format!("{name}={value}"));
            }
        }
    }
    for image in select(&page, "img, svg[role=img]") {
        let named = ["alt", "aria-label"].iter().any(|a| image.attr(a).is_some_and(|t| !t.is_empty()));
        if !named {
            faults.push("a picture without words".into());
        }
    }
    let ids: Vec<&str> = select(&page, "[id]").iter().filter_map(|e| e.attr("id")).collect();
    faults.extend(
        ids.iter().filter(|id| ids.iter().filter(|other| other == id).count() > 1).map(|id| format!("#{id} twice")),
    );
    let style = text(&page, "style");
    faults.extend(["@import", "url("].iter().filter(|w| style.contains(**w)).map(|w| format!("style: {w}")));
    faults.extend((!source.contains("default-src 'none'")).then(|| "no policy".to_string()));
    faults.extend((text(&page, "html[lang=en] > head > title").is_empty()).then(|| "no title".to_string()));
    faults
}

#[track_caller]
fn sound(source: &str) -> Html {
    assert_eq!(faults(source), Vec::<String>::new());
    Html::parse_document(source)
}

#[test]
fn a_fault_in_a_page_is_found() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    place.solve(&spec("1.0", "matrix", L2L2, ""), "run", &[], 0);
    let good = place.read("run/report.html");
    sound(&good);
    for (from, to) in [
        ("</main>", "<script>alert(1)</script></main>"),
        ("</main>", "<img src=\"data:,\"></main>"),
        ("</main>", "<p id=\"fit\"></p></main>"),
        ("</main>", "</div></main>"),
        ("</main>", "<a href=\"https://example.org\">x</a></main>"),
        ("<h1", "<h1 onclick=\"x\""),
        ("lang=\"en\"", ""),
    ] {
        let bad = good.replacen(from, to, 1);
        assert!(bad != good && !faults(&bad).is_empty(), "{to} goes unseen");
    }
}

#[test]
fn the_page_says_what_the_certificate_says() {
    let place = Place::new();
    place.write("Y.csv", csv(&scattered(6, 5)));
    let c = place.solve(&spec("1.0", "matrix", L2L2, "holdout = 0.05"), "run", &[], 0);
    let page = sound(&place.read("run/report.html"));
    assert!(text(&page, ".verdict").contains("Global optimum, proven to within"), "{}", text(&page, ".verdict"));
    assert!(text(&page, "title").contains("global"));
    let slices = select(&page, "#slices tbody tr").len() as u64;
    assert_eq!(slices, c["rank"].as_u64().unwrap());
    assert_eq!(select(&page, "#conditions tbody tr").len(), c["conditions"].as_array().unwrap().len());
    for piece in [word(&c, "/data/0/sha256"), word(&c, "/data/0/path")] {
        assert!(text(&page, "#data").contains(piece), "{piece}");
    }
    // progress, slices, two factors, fitted, held out
    assert!(select(&page, "#progress figure svg").len() == 4 && select(&page, "#factors h3").len() == 2);
    assert!(select(&page, "#fit h3").len() == 2 && text(&page, "#fit").contains("Held-out entries"));
    assert!(select(&page, "#fit svg circle").len() == 30, "each entry is a point");
}

#[test]
fn two_solves_differ_in_the_marked_line_alone_and_report_writes_the_same_page() {
    let place = Place::new();
    place.write("Y.csv", csv(&scattered(7, 5)));
    for run in ["one", "two"] {
        place.solve(&spec("0.5", "matrix", L2L2, ""), run, &[], 0);
    }
    let (one, two) = (place.read("one/report.html"), place.read("two/report.html"));
    let marked = |page: &str| page.lines().filter(|l| l.contains("<!-- time -->")).count();
    assert_eq!((marked(&one), marked(&two)), (1, 1));
    assert_eq!(timeless(&place.tree("one")), timeless(&place.tree("two")));
    place.write("one/report.html", "gone");
    place.run(&["report", "one"]).exits(0).says(&["one/report.html"]);
    assert_eq!(place.read("one/report.html"), one);
}

#[test]
fn a_run_chosen_from_a_path_shows_it_and_says_why() {
    let place = Place::new();
    place.write("Y.csv", csv(&noise(9, 7)));
    place.write("spec.toml", spec("1.0", "matrix", L2L2, ""));
    let walk = |more: &[&str]| {
        let args = ["path", "spec.toml", "--lambdas", "6,4,2,1", "-q", "--force", "-o", "walk"];
        place.run(&[&args[..], more].concat()).exits(0);
        sound(&place.read("walk/report.html"))
    };
    let page = walk(&["--folds", "2"]);
    let says = text(&page, "#path p");
    assert!(says.contains("of 4 on a path of lambdas") && says.contains("the least"), "{says}");
    assert_eq!(select(&page, "#path figure svg").len(), 4);
    assert!(place.read("walk/report.md").contains("of 4 on a path of lambdas"));
    let written = timeless(&place.tree("walk"));
    place.run(&["report", "walk"]).exits(0);
    assert_eq!(timeless(&place.tree("walk")), written);
    // of what is no such table nothing is shown; numbers that nobody can draw do no harm
    let table = place.read("walk/path.csv");
    let cells = |from: usize, to: &str| {
        let line = |l: &str| {
            l.split(',').enumerate().map(|(k, c)| if k == from { to } else { c }).collect::<Vec<_>>().join(",")
        };
        table.lines().take(1).map(String::from).chain(table.lines().skip(1).map(line)).collect::<Vec<_>>().join("\n")
    };
    let shown = [("1", true), ("1e308", true), ("-1e-320", true), ("<script>", false), ("NaN", false)];
    for (number, shows) in shown {
        for column in [1, 3] {
            place.write("walk/path.csv", cells(column, number));
            place.run(&["report", "walk"]).exits(0);
            let page = sound(&place.read("walk/report.html"));
            assert_eq!(!select(&page, "#path").is_empty(), shows, "{number}");
        }
    }
    let page = walk(&[]);
    assert!(text(&page, "#path p").contains("the smallest lambda"));
    assert_eq!(select(&page, "#path figure svg").len(), 3);
}

#[test]
fn names_from_outside_are_text_and_nothing_else() {
    const EVIL: &str = "</style></title><script>alert('x')</script><img src=x onerror=y>\" onload=\"z & <b>";
    let place = Place::new();
    let quoted = EVIL.replace('"', "\"\"");
    let rows: String = (0..12).map(|k| format!("{},{},{}\n", f64::from(k) / 3.0, (k * 7 % 5), k % 4)).collect();
    place.write("data.csv", format!("\"{quoted}\",b,y\n{rows}"));
    let name = toml::Value::String(format!("{EVIL}\u{0}\u{7}"));
    let text_of = format!(
        "name = {name}\nlambda = 0.5\n[data]\ntarget = {{ path = \"data.csv\", columns = [\"y\"] }}\n\
         input = {{ path = \"data.csv\", columns = [1, 2], bias = true, standardize = true }}\n[mapping]\nkind = \"relu\"\n\
         [regularizer]\nfactors = [{{ norm = \"l2\" }}]\n[certificate]\ntarget_gap = 0.5\n"
    );
    place.write("spec.toml", text_of);
    place.run(&["solve", "spec.toml", "-q", "-o", "run"]);
    let page = sound(&place.read("run/report.html"));
    assert_eq!(text(&page, "h1"), format!("{EVIL}  "));
    assert!(
        select(&page, "svg text").iter().any(|t| t.text().collect::<String>().contains("</style>")),
        "an axis names it"
    );
    assert!(select(&page, "b").is_empty());
}

#[test]
fn without_its_data_a_run_still_has_a_page_that_says_so() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    place.solve(&spec("1.0", "matrix", NONNEGATIVE, ""), "run", &[], 0);
    let whole = place.read("run/report.html");
    for (change, why) in [("4,0,0\n0,3,0\n0,0,2\n0,0,0\n", "the data changed"), ("", "Y.csv")] {
        if change.is_empty() {
            std::fs::remove_file(place.path("Y.csv")).unwrap();
        } else {
            place.write("Y.csv", change);
        }
        place.run(&["report", "run"]).exits(0).says(&["warning", why]);
        let page = sound(&place.read("run/report.html"));
        assert!(text(&page, "#fit").contains("not at hand") && text(&page, "#fit").contains(why));
        let rows = |page: &Html| select(page, "#slices tbody tr th").iter().map(|t| t.inner_html()).collect::<Vec<_>>();
        assert_eq!(rows(&page), rows(&Html::parse_document(&whole)));
    }
    // nor its factors
    std::fs::remove_file(place.path("run/factors/X1.npy")).unwrap();
    place.run(&["report", "run"]).exits(0).says(&["X1.npy"]);
    assert!(text(&sound(&place.read("run/report.html")), "#point").contains("X1.npy"));
}

#[test]
fn every_kind_of_run_has_a_sound_page() {
    let place = Place::new();
    place.write("Y.csv", csv(&scattered(6, 6).map(|x| (x * 2.0).round().abs())));
    place.write("signs.csv", csv(&scattered(6, 5).map(|x| if x > 0.5 { 1.0 } else { -1.0 })));
    place.write("labels.csv", "0\n1\n2\n1\n0\n2\n");
    let cases = [
        ("poisson", "Y.csv", L2L2, "[loss]\nkind = \"poisson\""),
        ("signs", "signs.csv", L2L2, "[loss]\nkind = \"logistic\""),
        ("classes", "labels.csv", L2L2, "[loss]\nkind = \"multinomial\""),
        ("outliers", "Y.csv", L2L2, "[[extra]]\nkind = \"outliers\"\npenalty = { norm = \"l1\", weight = 0.3 }"),
        ("intercepts", "Y.csv", L2L2, "[[extra]]\nkind = \"intercept\"\naxis = 2"),
        ("images", "Y.csv", L2L2, "[output]\nimages = { factor = 2, shape = [2, 3] }"),
        ("nothing", "Y.csv", L2L2, "[certificate]\neffort = \"cheap\""),
    ];
    for (name, file, factors, more) in cases {
        let lambda = if name == "nothing" { "1e3" } else { "0.4" };
        place.write("spec.toml", spec_on(&format!("\"{file}\""), lambda, "matrix", factors, more));
        place.run(&["solve", "spec.toml", "-q", "-o", name]);
        let page = sound(&place.read(&format!("{name}/report.html")));
        let has = |selector: &str| !select(&page, selector).is_empty();
        match name {
            "signs" => assert!(text(&page, "#fit").contains("of the right sign")),
            "classes" => assert_eq!(select(&page, "#fit tbody tr").len(), 3),
            "outliers" | "intercepts" => assert!(text(&page, "#fit").contains("Extra variables")),
            "images" => assert!(has("ul.images img") && has("table.samples img")),
            "nothing" => assert!(text(&page, "#slices").contains("no slices") && !has("#factors")),
            _ => assert!(has("#fit svg")),
        }
    }
    let spec = spec("1.0", "matrix", L2L2, "");
    place.write("spec.toml", spec);
    place.write("U.csv", "0\n0\n0\n0\n0\n0\n");
    place.run(&["check", "--spec", "spec.toml", "-q", "-o", "refuted", "--factors", "U.csv", "U.csv"]).exits(1);
    let page = sound(&place.read("refuted/report.html"));
    assert!(text(&page, ".verdict.refuted").contains("Refuted") && text(&page, "#progress").contains("checked"));
}

#[test]
fn names_of_columns_and_classes_are_on_the_page() {
    let place = Place::new();
    let rows: String = (0..9).map(|k| ["red\n", "blue\n", "green\n"][k * k % 3]).collect();
    place.write("data.csv", format!("colour\n{rows}green\n"));
    let target = "{ path = \"data.csv\", columns = [\"colour\"] }";
    let more = "[loss]\nkind = \"multinomial\"\n[certificate]\ntarget_gap = 0.5";
    place.write("spec.toml", spec_on(target, "0.2", "matrix", L2L2, more));
    place.run(&["solve", "spec.toml", "-q", "-o", "classes"]);
    let page = sound(&place.read("classes/report.html"));
    for name in ["blue", "green", "red"] {
        assert!(text(&page, "#factors").contains(name), "{name}");
    }
    assert!(text(&page, "#fit table").contains("taken for blue"));
    place.write("Y.csv", "north,south\n1,2\n3,5\n4,4\n");
    place.solve(&spec("0.1", "matrix", L2L2, ""), "table", &[], 0);
    assert!(text(&sound(&place.read("table/report.html")), "#factors").contains("north"));
}

#[test]
fn a_page_does_not_grow_with_the_data() {
    let place = Place::new();
    let y = Grid::from_fn(700, 40, |i, j| ((i * j) % 17) as f64 + (i % 5) as f64);
    place.write("Y.csv", csv(&y));
    place.write(
        "spec.toml",
        spec("{ relative = 0.05 }", "matrix", L2L2, "[output]\nimages = { factor = 1, shape = [700, 1] }"),
    );
    place.run(&["solve", "spec.toml", "-q", "-o", "run"]);
    let page = place.read("run/report.html");
    sound(&page);
    assert!(page.len() < 500_000, "{} bytes", page.len());
}

#[test]
fn images_that_do_not_fit_are_refused() {
    let place = Place::new();
    place.write("Y.csv", csv(&diagonal()));
    for (images, code, says) in [
        ("{ factor = 2, shape = [2, 3] }", 3, &["output.images", "factor 2 has 3 rows", "2 x 3"][..]),
        ("{ factor = 3, shape = [1, 3] }", 3, &["output.images", "number of factors is 2"]),
        ("{ factor = 0, shape = [1, 3] }", 2, &["output.images.factor", "at least 1"]),
        ("{ factor = 2, shape = [3] }", 2, &["output.images.shape", "such as [8, 8]"]),
        ("{ factor = 2 }", 2, &["missing key `shape`"]),
        ("[8, 8]", 2, &["output.images", "a table"]),
        ("{ factor = 2, shape = [1, 3], colour = 1 }", 2, &["unknown key `colour`"]),
        ("{ factor = 2, shape = [4294967296, 4294967296] }", 3, &["output.images"]),
    ] {
        place.write("spec.toml", spec("1.0", "matrix", L2L2, &format!("[output]\nimages = {images}")));
        place.run(&["solve", "spec.toml", "-q", "-o", "run"]).exits(code).says(says);
        assert!(!place.path("run").exists());
    }
}
