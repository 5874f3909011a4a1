//! `GET /sandbox`: orders and pages.

use std::time::SystemTime;

use http::StatusCode;
use sandbox_provider::{Provider, Sandbox};
use serde_json::json;

use super::filter::Filter;
use super::{Call, Responded, convert};
use crate::body::json;
use crate::error::ApiError;
use crate::limits::{DEFAULT_PAGE, PAGE};

/// What a client asks for.
#[derive(Debug)]
struct Query {
    filter: Filter,
    sort: Sort,
    is_ascending: bool,
    limit: usize,
}

#[derive(Debug, Clone, Copy)]
enum Sort {
    Name,
    Cpu,
    Memory,
    Disk,
    LastActivity,
    Created,
}

pub(super) async fn list<P: Provider>(call: &Call<'_, P>) -> Responded {
    let query = Query::of(call)?;
    let after = match call.query("cursor").filter(|cursor| !cursor.is_empty()) {
        Some(cursor) => Some(
            parse_cursor(&cursor)
                .ok_or_else(|| ApiError::bad("the cursor is not one of a list"))?,
        ),
        None => None,
    };
    let mut found = query.select(call).await?;
    if let Some(after) = after {
        found.retain(|(position, _)| {
            if query.is_ascending {
                *position > after
            } else {
                *position < after
            }
        });
    }
    let is_last = found.len() <= query.limit;
    found.truncate(query.limit);
    let cursor = if is_last {
        None
    } else {
        found.last().map(|(position, _)| cursor(position))
    };
    let items = found
        .iter()
        .map(|(_, one)| convert::item(&call.shared, one, &call.base));
    let items: Vec<_> = items.collect();
    json(
        StatusCode::OK,
        &json!({"items": items, "nextCursor": cursor}),
    )
}

/// `GET /sandbox/paginated`, which older clients ask.
pub(super) async fn pages<P: Provider>(call: &Call<'_, P>) -> Responded {
    let query = Query::of(call)?;
    let page = page_number(call)?;
    let found = query.select(call).await?;
    let total = found.len();
    let items = found
        .iter()
        .skip((page - 1).saturating_mul(query.limit))
        .take(query.limit);
    let items = items.map(|(_, one)| convert::whole(&call.shared, one, &call.base));
    let items: Vec<_> = items.collect();
    let pages = total.div_ceil(query.limit);
    json(
        StatusCode::OK,
        &json!({"items": items, "total": total, "page": page, "totalPages": pages}),
    )
}

/// A place in the order: the key that it is by, and the id.
pub(crate) type Position = (String, String);

impl Query {
    fn of<P: Provider>(call: &Call<'_, P>) -> Result<Self, ApiError> {
        let sort = match call.query("sort").as_deref() {
            None | Some("createdAt") => Sort::Created,
            Some("name") => Sort::Name,
            Some("cpu") => Sort::Cpu,
            Some("memoryGib") => Sort::Memory,
            Some("diskGib") => Sort::Disk,
            Some("lastActivityAt") => Sort::LastActivity,
            Some(other) => return Err(ApiError::bad(format!("lists are not sorted by {other}"))),
        };
        let is_ascending = match call.query("order").as_deref() {
            None | Some("desc") => false,
            Some("asc") => true,
            Some(_) => return Err(ApiError::bad("order is asc or desc")),
        };
        Ok(Self {
            filter: Filter::of(call)?,
            sort,
            is_ascending,
            limit: page_size(call)?,
        })
    }

    /// Returns all sandboxes that match, in order.
    async fn select<P: Provider>(
        &self,
        call: &Call<'_, P>,
    ) -> Result<Vec<(Position, Sandbox)>, ApiError> {
        let all = call.shared.provider.list().await?;
        let matching = all.into_iter().filter(|one| {
            let last = call.shared.activity.last_day(&one.id);
            self.filter.matches(one, last.max(one.created_at))
        });
        let placed = matching.map(|one| (self.position(call, &one), one));
        let mut found: Vec<_> = placed.collect();
        found.sort_by(|(one, _), (other, _)| {
            if self.is_ascending {
                one.cmp(other)
            } else {
                other.cmp(one)
            }
        });
        Ok(found)
    }

    fn position<P: Provider>(&self, call: &Call<'_, P>, sandbox: &Sandbox) -> Position {
        let spec = &sandbox.spec;
        let nanoseconds = |time: SystemTime| {
            let since = time.duration_since(SystemTime::UNIX_EPOCH);
            since.unwrap_or_default().as_nanos()
        };
        let number = match self.sort {
            Sort::Name => {
                let name = spec.name.clone().unwrap_or_default();
                return (name, sandbox.id.as_str().to_owned());
            }
            Sort::Cpu => spec.resources.cpus.unwrap_or_default().into(),
            Sort::Memory => spec.resources.memory.unwrap_or_default().into(),
            Sort::Disk => spec.resources.disk.unwrap_or_default().into(),
            Sort::LastActivity => nanoseconds(call.shared.activity.last_day(&sandbox.id)),
            Sort::Created => nanoseconds(sandbox.created_at),
        };
        (format!("{number:039}"), sandbox.id.as_str().to_owned())
    }
}

/// Returns a whole number of the query that is at least `least`.
pub(super) fn number<P: Provider>(
    call: &Call<'_, P>,
    name: &str,
    least: u32,
) -> Result<Option<u32>, ApiError> {
    let range = f64::from(least)..=f64::from(MOST);
    match call.query(name).map(|text| text.parse::<f64>()) {
        None => Ok(None),
        // Some clients send 1.0.
        Some(Ok(number)) if range.contains(&number) && number.fract() == 0.0 => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is whole, and in this range"
            )]
            let number = number as u32;
            Ok(Some(number))
        }
        Some(_) => Err(ApiError::bad(format!(
            "{name} is a whole number from {least} to {MOST}"
        ))),
    }
}

/// Returns the number of entries on a page.
pub(super) fn page_size<P: Provider>(call: &Call<'_, P>) -> Result<usize, ApiError> {
    let limit = number(call, "limit", 1)?;
    Ok(limit.map_or(DEFAULT_PAGE, |limit| (limit as usize).min(PAGE)))
}

/// Returns the number of the page that a query asks for, from 1.
pub(super) fn page_number<P: Provider>(call: &Call<'_, P>) -> Result<usize, ApiError> {
    Ok(number(call, "page", 1)?.unwrap_or(1) as usize)
}

/// Returns a position as an opaque text.
pub(crate) fn cursor((key, id): &Position) -> String {
    let text = format!("{key}\0{id}");
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn parse_cursor(text: &str) -> Option<Position> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_digits || !text.len().is_multiple_of(2) {
        return None;
    }
    let digits = text.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> = digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let text = String::from_utf8(bytes?).ok()?;
    let (key, id) = text.rsplit_once('\0')?;
    Some((key.to_owned(), id.to_owned()))
}

/// The largest number of a query.
const MOST: u32 = 1_000_000_000;
