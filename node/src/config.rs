//! The settings that every command takes, from flags, the environment, the home's `muster.toml` and the platform's customs.

mod file;
mod key;
mod layers;

use std::path::PathBuf;

use etcetera::BaseStrategy;
use muster_roles::Timestamp;

pub(crate) use self::key::with_values_for_switches;
pub(crate) use self::layers::{Layers, Origin, Setting, global_flags};
use crate::error::CommandError;
use crate::home::{HEADING, Home, KeyChoice, Locking, Opened};

/// The settings that every command takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Home folder with role key, roster and messages [default: muster in the platform's data folder]
    #[arg(long, global = true, env = "MUSTER_HOME", value_name = "DIR", help_heading = HEADING)]
    home: Option<PathBuf>,

    /// The role key to use.
    #[command(flatten)]
    pub key: KeyChoice,

    /// How much is logged: error, warn, info, debug or trace
    #[arg(
        long,
        global = true,
        env = "MUSTER_LOG",
        value_name = "LEVEL",
        default_value = "info",
        value_parser = crate::log::check_filter,
        help_heading = HEADING
    )]
    pub log_level: String,
}

impl Settings {
    /// The home to work in.
    ///
    /// # Errors
    /// When none is named and the platform has no place for it.
    pub fn home(&self) -> Result<Home, CommandError> {
        match &self.home {
            Some(dir) => Ok(Home::new(dir)),
            None => default_home(),
        }
    }

    /// Opens the home to work in, as [`Home::open`] does.
    ///
    /// # Errors
    /// As [`Settings::home`] and [`Home::open`].
    pub fn open(&self, locking: Locking, now: Timestamp) -> Result<(Home, Opened), CommandError> {
        let home = self.home()?;
        let opened = home.open(locking, &self.key, now)?;
        Ok((home, opened))
    }
}

/// The folder `muster` among the platform's application data.
fn default_home() -> Result<Home, CommandError> {
    let platform = etcetera::choose_base_strategy().map_err(|error| {
        CommandError::failed("this system has no place for a home folder")
            .because(&error)
            .with_hint("name one with --home DIR or MUSTER_HOME".to_owned())
    })?;
    Ok(Home::new(platform.data_dir().join("muster")))
}
