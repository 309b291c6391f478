//! Which coding of a file a client wants (RFC 9110, section 12.5.3).

use axum::http::{HeaderMap, header};

/// How a file is coded, the smaller one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Brotli,
    Gzip,
    Identity,
}

impl Coding {
    const ALL: [Self; 3] = [Self::Brotli, Self::Gzip, Self::Identity];

    /// Its name in a header.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Identity => "identity",
        }
    }

    /// What stands behind the name of a file that is stored in it.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
            Self::Identity => "",
        }
    }
}

/// What the client takes, the best first: what it prefers, then what is smaller. The plain file is always among them,
/// because an answer that somebody cannot read tells more than none.
pub(super) fn accepted(headers: &HeaderMap) -> Vec<Coding> {
    let stated = stated(headers);
    let mut weighed: Vec<(u16, Coding)> = Coding::ALL
        .into_iter()
        .map(|coding| (weight(coding, &stated), coding))
        .filter(|(weight, _)| *weight > 0)
        .collect();
    // The sort is stable.
    weighed.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    let mut accepted: Vec<Coding> = weighed.into_iter().map(|(_, coding)| coding).collect();
    if !accepted.contains(&Coding::Identity) {
        accepted.push(Coding::Identity);
    }
    accepted
}

/// The names with their weights in thousandths.
fn stated(headers: &HeaderMap) -> Vec<(String, u16)> {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let parts = values.flat_map(|value| value.split(',')).map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, parameter) = part.split_once(';').unwrap_or((part, ""));
            (name.trim().to_ascii_lowercase(), thousandths(parameter.trim()))
        })
        .collect()
}

/// `q=0.5` in thousandths; no parameter is 1, and what cannot be read is a no.
fn thousandths(parameter: &str) -> u16 {
    if parameter.is_empty() {
        return 1_000;
    }
    let number = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
    let Some((whole, part)) = number.map(|number| number.split_once('.').unwrap_or((number, ""))) else { return 0 };
    let digits = part.len() <= 3 && part.bytes().all(|digit| digit.is_ascii_digit());
    match (whole, digits, format!("{part:0<3}").parse::<u16>()) {
        ("0", true, Ok(thousandths)) => thousandths,
        ("1", true, Ok(0)) => 1_000,
        _ => 0,
    }
}

/// Nothing said of the plain file means that it will do when nothing else does.
fn weight(coding: Coding, stated: &[(String, u16)]) -> u16 {
    let said = |name: &str| stated.iter().find(|(other, _)| other == name).map(|(_, weight)| *weight);
    let own = said(coding.name());
    match coding {
        Coding::Identity => own.or(said("*").filter(|weight| *weight == 0)).unwrap_or(1),
        Coding::Brotli | Coding::Gzip => own.or_else(|| said("*")).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::Coding::{Brotli, Gzip, Identity};
    use super::*;

    fn asked(values: &[&'static str]) -> Vec<Coding> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
        accepted(&headers)
    }

    #[test]
    fn the_smallest_coding_that_is_taken_comes_first() {
        let table: [(&[&str], &[Coding]); 16] = [
            (&[], &[Identity]),
            (&[""], &[Identity]),
            (&["gzip, deflate, br, zstd"], &[Brotli, Gzip, Identity]),
            (&["gzip", "br"], &[Brotli, Gzip, Identity]),
            (&["GZIP"], &[Gzip, Identity]),
            (&["br;q=0.5, gzip"], &[Gzip, Brotli, Identity]),
            (&["br; q=0.5 ,gzip ; q=0.4"], &[Brotli, Gzip, Identity]),
            (&["br;q=0, gzip"], &[Gzip, Identity]),
            (&["*"], &[Brotli, Gzip, Identity]),
            (&["*;q=0"], &[Identity]),
            (&["gzip, *;q=0"], &[Gzip, Identity]),
            (&["identity, gzip;q=0.5"], &[Identity, Gzip]),
            (&["identity;q=0, br"], &[Brotli, Identity]),
            (&["br;q=1.001, gzip;q=0.0001"], &[Identity]),
            (&["br;q=high, gzip;level=9"], &[Identity]),
            (&["brotli, x-gzip"], &[Identity]),
        ];
        for (values, expected) in table {
            assert_eq!(asked(values), expected, "{values:?}");
        }
    }
}
