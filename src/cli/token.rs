//! `onya token`: a token signed with this deployment's keys.

use clap::Args;
use onya_core::ParticipantId;
use uuid::Uuid;

use super::output;
use crate::auth::{Grant, Issuer, KeySet, Role};
use crate::config::Config;
use crate::telemetry;

/// Longest life that can be asked for, in seconds: as for a customer's token.
const MAX_TTL_S: u64 = 34_560_000;

#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    /// customer, agent, supervisor, admin or service
    #[arg(long, value_name = "ROLE")]
    role: Role,
    /// Name that others see, 1 to 64 characters
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Life of the token: 90s, 30m, 12h or 7d [default: as configured for the role]
    #[arg(long, value_name = "TIME", value_parser = parse_ttl)]
    ttl: Option<u64>,
    /// Whom it is for [default: somebody new]
    #[arg(long, value_name = "UUID")]
    sub: Option<Uuid>,
}

pub(super) fn run(args: &TokenArgs, config: &Config) -> anyhow::Result<()> {
    telemetry::start_logs(&config.log)?;
    let keys = KeySet::load_or_generate(&config.auth)?;
    let grant = Grant {
        participant: ParticipantId(args.sub.unwrap_or_else(Uuid::now_v7)),
        role: args.role,
        display_name: args.name.clone(),
        ttl_s: args.ttl,
    };
    let issued = Issuer::new(&keys, &config.auth).issue(grant)?;
    Ok(output::result(&format!("{}\n", issued.token))?)
}

fn parse_ttl(text: &str) -> Result<u64, String> {
    let expected = || format!("expected a number with s, m, h or d, at most {}d", MAX_TTL_S / 86_400);
    let unit = text.chars().last().ok_or_else(expected)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(expected()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| expected())?;
    number.checked_mul(seconds).filter(|ttl| (1..=MAX_TTL_S).contains(ttl)).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_with_a_unit() {
        assert_eq!(parse_ttl("12h"), Ok(43_200));
        assert_eq!(parse_ttl("90s"), Ok(90));
        assert_eq!(parse_ttl("400d"), Ok(MAX_TTL_S));
        for bad in ["", "12", "h", "-1h", "0s", "401d", "1.5h", "12 h", "99999999999999999999d", "1ü"] {
            assert!(parse_ttl(bad).is_err(), "{bad}");
        }
    }
}
