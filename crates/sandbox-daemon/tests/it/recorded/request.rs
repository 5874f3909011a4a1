//! The requests of the recordings.

use serde_json::Value;

/// The entries of a file of recordings.
pub(super) fn entries(file: &str) -> Vec<Value> {
    serde_json::from_str(file).unwrap()
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

pub(super) fn status(response: &Value) -> Option<u16> {
    let status = response["status"].as_u64()?;
    Some(u16::try_from(status).unwrap())
}

pub(super) fn headers(request: &Value) -> Vec<(&str, &str)> {
    let headers = request["headers"].as_object().into_iter().flatten();
    headers
        .map(|(name, value)| (name.as_str(), text(value)))
        .collect()
}

pub(super) fn body(request: &Value) -> Vec<u8> {
    if let Some(raw) = request["raw_base64"].as_str() {
        return base64(raw);
    }
    if let Some(raw) = request["raw"].as_str() {
        return raw.as_bytes().to_vec();
    }
    match &request["json"] {
        Value::Null => Vec::new(),
        json => expand(json.clone()).to_string().into_bytes(),
    }
}

/// Makes a text again that was too long to keep: `<300013 characters, beginning 'echo xxx'>`.
fn expand(mut json: Value) -> Value {
    let fill = |text: &mut Value| {
        let Some(description) = text.as_str().and_then(|text| text.strip_prefix('<')) else {
            return;
        };
        let Some((count, rest)) = description.split_once(" characters, beginning '") else {
            return;
        };
        let beginning = rest.trim_end_matches("'>");
        let last = beginning.chars().last().unwrap();
        let count: usize = count.parse().unwrap();
        let mut whole = beginning.to_owned();
        while whole.len() < count {
            whole.push(last);
        }
        // The one such command counts its own argument.
        if whole.starts_with("echo ") {
            whole.truncate(count - 8);
            whole.push_str(" | wc -c");
        }
        *text = whole.into();
    };
    for field in ["command", "data", "sessionId"] {
        if let Some(text) = json.get_mut(field) {
            fill(text);
        }
    }
    if let Some(envs) = json.get_mut("envs").and_then(Value::as_object_mut) {
        envs.values_mut().for_each(fill);
    }
    json
}

pub(super) fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("not base64"),
    };
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        bits = bits << 6 | u32::from(value(byte));
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}
