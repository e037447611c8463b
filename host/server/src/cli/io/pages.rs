//! Pages of lists: which rows a command shows, how to read on, and rows that their host
//! cannot read, of which each is named so that none is missed.

use clap::Args;
use serde_json::Value;

use super::{Answer, Client, Context, Exit, Failure, Paint, escape, to_stderr};
use crate::api::{Listing, Unreadable};

/// Rows of each page where all are read: as many as a page can have.
const EVERY_PAGE_LIMIT: u32 = 1000;

/// Most requests for one page whose rows lie far apart.
pub const REQUESTS_MAX: usize = 20;

/// Which rows of a list a command shows.
#[derive(Debug, Args)]
pub struct PageArgs {
    /// Number of rows to show
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Continue after the page before
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// Show the whole list, page by page
    #[arg(long, conflicts_with_all = ["limit", "after"])]
    all_pages: bool,
}

impl PageArgs {
    /// Reads the page that is asked for, or all pages as one. `rows` is the member of the
    /// answer that holds the rows.
    pub async fn read(
        self,
        client: &Client,
        path: &str,
        query: Vec<(&'static str, String)>,
        rows: &str,
    ) -> Result<Answer, Failure> {
        if self.all_pages {
            return every_page(client, path, query, rows).await;
        }
        let request = async |limit: usize, after: Option<String>| {
            let mut query = query.clone();
            query.push(("limit", limit.to_string()));
            query.extend(after.map(|cursor| ("after", cursor)));
            client.get(path, query).await
        };
        let limit = self.limit as usize;
        let mut answer = request(limit, self.after).await?;
        let mut page: Value = answer.read()?;
        // A page that ended because the host looks at so many rows for one request only is
        // continued.
        for _ in 1..REQUESTS_MAX {
            let found = page[rows].as_array().map_or(0, Vec::len);
            if page["examined"].is_null() || found >= limit {
                break;
            }
            let Some(cursor) = take_cursor(&mut page) else {
                break;
            };
            let more = request(limit - found, Some(cursor)).await?.read()?;
            append(&mut page, more, rows);
            answer.body = page.to_string().into_bytes();
        }
        Ok(answer)
    }

    /// Shows the page that is asked for, or all pages as one: as it is to programs, with
    /// `show` to people, who are also told which rows cannot be shown and how to read the
    /// page that follows. `what` the rows are is empty if they have ids or names.
    pub async fn show<P: Listing>(
        self,
        context: &Context,
        path: &str,
        query: Vec<(&'static str, String)>,
        what: &str,
        show: impl FnOnce(&P),
    ) -> Result<Exit, Failure> {
        let answer = self.read(&context.client()?, path, query, P::ROWS).await?;
        context.answered(&answer, |page: P| {
            show(&page);
            name_unreadable(what, page.unreadable());
            if let Some(examined) = page.examined() {
                let line = format!("looked at {examined} rows; more may follow");
                context.line(&context.terminal.paint(Paint::Dim, &line));
            }
            context.next_page(page.next_cursor());
        })
    }
}

/// Reads all pages of a list as one.
pub async fn every_page(
    client: &Client,
    path: &str,
    mut query: Vec<(&'static str, String)>,
    rows: &str,
) -> Result<Answer, Failure> {
    query.push(("limit", EVERY_PAGE_LIMIT.to_string()));
    let mut answer = client.get(path, query.clone()).await?;
    let mut whole: Value = answer.read()?;
    while let Some(cursor) = take_cursor(&mut whole) {
        let mut query = query.clone();
        query.push(("after", cursor));
        append(&mut whole, client.get(path, query).await?.read()?, rows);
    }
    answer.body = whole.to_string().into_bytes();
    Ok(answer)
}

/// Names rows that cannot be shown: by what they are, unless that is empty, and their ids,
/// names or numbers.
pub fn name_unreadable(what: &str, rows: &[Unreadable]) {
    for row in rows {
        let (id, detail) = (escape(&row.id), escape(&row.detail));
        let name = if what.is_empty() {
            id
        } else {
            format!("{what} {id}")
        };
        to_stderr(&format!("{name} cannot be shown: {detail}"));
    }
}

/// Takes the cursor of the next page out of a page.
fn take_cursor(page: &mut Value) -> Option<String> {
    match page.as_object_mut()?.remove("next_cursor")? {
        Value::String(cursor) => Some(cursor),
        _ => None,
    }
}

/// Appends the rows of the next page, those that cannot be shown too, puts its cursor in the
/// place of the last one, and adds up how many rows the host looked at, unless it reached
/// the end or the page is full.
fn append(whole: &mut Value, mut page: Value, rows: &str) {
    for name in [rows, "unreadable"] {
        if let Value::Array(mut more) = page[name].take() {
            match &mut whole[name] {
                Value::Array(all) => all.append(&mut more),
                absent => *absent = more.into(),
            }
        }
    }
    if let Some(cursor) = take_cursor(&mut page) {
        whole["next_cursor"] = cursor.into();
    }
    let before = whole.as_object_mut().and_then(|it| it.remove("examined"));
    if let (Some(before), Some(more)) = (before, page["examined"].as_u64()) {
        whole["examined"] = (before.as_u64().unwrap_or(0) + more).into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pages_become_one_without_a_cursor() {
        let mut whole = json!({"lanes": [1, 2], "examined": 5, "next_cursor": "a"});
        assert_eq!(take_cursor(&mut whole).as_deref(), Some("a"));
        let next =
            json!({"lanes": [3], "unreadable": [{"id": "x"}], "examined": 6, "next_cursor": "b"});
        append(&mut whole, next, "lanes");
        assert_eq!(whole["examined"], 11);
        assert_eq!(take_cursor(&mut whole).as_deref(), Some("b"));
        append(
            &mut whole,
            json!({"lanes": [4], "next_cursor": null}),
            "lanes",
        );
        assert_eq!(take_cursor(&mut whole), None);
        assert_eq!(
            whole,
            json!({"lanes": [1, 2, 3, 4], "unreadable": [{"id": "x"}]})
        );
    }
}
