//! `INFO memory`.

use std::fmt::{self, Write};
use std::sync::atomic::Ordering::Relaxed;

use super::{Context, policy_name};
use crate::observe::process;

pub(super) fn memory(context: &Context<'_>, text: &mut String) -> fmt::Result {
    let stats = context.cache().stats();
    let buffers = context.server.buffer_bytes.load(Relaxed) as u64;
    let used = stats.bytes + buffers;
    let dataset = stats.key_bytes + stats.value_bytes;
    write!(text, "used_memory:{used}\r\nused_memory_human:{}\r\n", human(used))?;
    if let Some(resident) = process::resident_bytes() {
        write!(
            text,
            "used_memory_rss:{resident}\r\nused_memory_rss_human:{}\r\nmem_fragmentation_ratio:{:.2}\r\n\
             mem_fragmentation_bytes:{}\r\n",
            human(resident),
            resident as f64 / used as f64,
            resident as i64 - used as i64,
        )?;
    }
    if let Some(peak) = process::peak_resident_bytes() {
        write!(text, "used_memory_peak:{peak}\r\nused_memory_peak_human:{}\r\n", human(peak))?;
        write!(text, "used_memory_peak_perc:{:.2}%\r\n", used as f64 / peak as f64 * 100.0)?;
    }
    if let Some(machine) = process::machine_bytes() {
        write!(text, "total_system_memory:{machine}\r\ntotal_system_memory_human:{}\r\n", human(machine))?;
    }
    let (scripts, script_bytes) = context.server.scripts.lock().size();
    write!(
        text,
        "used_memory_overhead:{}\r\nused_memory_startup:0\r\nused_memory_dataset:{dataset}\r\n\
         used_memory_dataset_perc:{:.2}%\r\nused_memory_scripts:{script_bytes}\r\n\
         used_memory_scripts_human:{}\r\nnumber_of_cached_scripts:{scripts}\r\nnumber_of_functions:0\r\n\
         number_of_libraries:0\r\nmaxmemory:{}\r\nmaxmemory_human:{}\r\nmaxmemory_policy:{}\r\n\
         mem_not_counted_for_evict:0\r\nmem_replication_backlog:0\r\nmem_clients_slaves:0\r\n\
         mem_clients_normal:{buffers}\r\nmem_aof_buffer:0\r\nmem_allocator:tandem\r\n\
         active_defrag_running:0\r\nlazyfree_pending_objects:0\r\nlazyfreed_objects:0\r\n",
        used - dataset,
        dataset as f64 / used as f64 * 100.0,
        human(script_bytes as u64),
        stats.max_bytes,
        human(stats.max_bytes),
        policy_name(context.cache().options().policy),
    )?;
    write!(
        text,
        "tandem_key_bytes:{}\r\ntandem_value_bytes:{}\r\ntandem_raw_value_bytes:{}\r\n\
         tandem_overhead_bytes:{}\r\ntandem_dead_bytes:{}\r\ntandem_reserve_bytes:{}\r\n",
        stats.key_bytes,
        stats.value_bytes,
        stats.raw_value_bytes,
        stats.overhead_bytes,
        stats.dead_bytes,
        stats.reserve_bytes,
    )
}

/// Bytes as Redis shows them to people.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "K", "M", "G", "T"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let power = (bytes.ilog2() / 10).min(UNITS.len() as u32 - 1);
    format!("{:.2}{}", bytes as f64 / 1024f64.powi(power as i32), UNITS[power as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_redis_does() {
        for (bytes, shown) in
            [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1_073_741_824, "1.00G"), (1_610_612_736, "1.50G")]
        {
            assert_eq!(human(bytes), shown);
        }
    }
}
