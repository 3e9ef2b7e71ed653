//! `headroom advise`: what to change so that memory does not run out again.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use headroom_api::exit::Exit;
use headroom_api::paths;
use headroom_core::advise;
use headroom_core::policy::Size;

use super::Common;
use crate::advise::images::Search;
use crate::advise::{Root, Wanted, gather, plans_of};
use crate::print::{self, Format};

/// What `advise` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
It looks at the database, php-fpm, Redis, search, Varnish, cron, images, the kernel's settings
and the units, and says what to change, by the memory each change gives back. It changes
nothing. As root it sees what each process really holds; else it counts what is a process's
own. With HEADROOM_ROOT set only files below that folder are read and no service is asked.

Examples:
  sudo headroom advise                       everything, the largest saving first
  sudo headroom advise --html advice.html    as a page to hand on
  headroom advise --format json | jq '.advices[0]'
  headroom advise --image-limit 128MiB       images from this decoded size on (64MiB)
  HEADROOM_ROOT=/mnt headroom advise         on a mounted disk

Exit status: 0 there is an advice, 1 there is none, 2 it failed, 64 wrong usage, 78 a bad
catalogue of plans.")]
pub(crate) struct AdviseArgs {
    /// Also write a page that needs no other file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Images whose decoded size is above this are named
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    image_limit: Size,
    /// Look for images here instead of in the document roots; may be repeated
    #[arg(long = "images", value_name = "DIR", conflicts_with = "no_images")]
    images: Vec<PathBuf>,
    /// Do not look for images
    #[arg(long)]
    no_images: bool,
    /// The catalogue of plans, instead of /etc/headroom/plans.toml
    #[arg(long, value_name = "FILE")]
    plans: Option<PathBuf>,
    /// The database's socket, where it is not the usual one
    #[arg(long, value_name = "PATH")]
    mysql_socket: Option<PathBuf>,
    /// Where the guard's journal is kept
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Looks, and says what there is to say.
pub(crate) fn run(args: &AdviseArgs) -> Exit {
    let root = paths::root();
    if !root.is_dir() {
        return print::failed(&format!(
            "{}: no such folder; HEADROOM_ROOT names the root of a tree",
            root.display()
        ));
    }
    if let Some(folder) = args.images.iter().find(|folder| !folder.is_dir()) {
        return print::failed(&format!("{}: no such folder to find images in", folder.display()));
    }
    let plans = match args.plans.as_deref().map(plans_of).transpose() {
        Ok(plans) => plans,
        Err(why) => {
            print::problem(&why);
            return Exit::BadConfiguration;
        }
    };
    let search = Search { limit: args.image_limit.0, folders: args.images.clone() };
    let wanted = Wanted {
        images: (!args.no_images).then_some(search),
        socket: args.mysql_socket.clone(),
        state_dir: args.state_dir.clone(),
        plans,
    };
    let facts = gather(&Root::new(&root), wanted);
    let advices = advise::advise(&facts);
    let told = print::advise::told(&facts, &advices);
    if let Some(path) = &args.html
        && let Err(error) = fs::write(path, print::advise_html::page(&told))
    {
        return print::failed(&format!("writing {}: {error}", path.display()));
    }
    let printed = match args.common.format {
        Format::Json => print::result_as_json(&told),
        Format::Text => print::result(&print::advise::text(&told)),
    };
    if printed == Exit::Done && told.advices.is_empty() { Exit::No } else { printed }
}
