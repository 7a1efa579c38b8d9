//! Works as benchmarks of criterion.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};

use crate::measure::Work;

/// Measures each contender of each work, and reports the time of one unit.
pub fn criterions(works: Vec<Work>) {
    let mut criterion = Criterion::default()
        .sample_size(15)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for work in works {
        let mut group = criterion.benchmark_group(format!("{}, {}", work.name, work.scene));
        group.throughput(Throughput::Elements(work.units));
        for contender in &work.contenders {
            group.bench_function(BenchmarkId::from_parameter(contender.label()), |bencher| {
                bencher.iter_custom(|n| contender.run(n));
            });
        }
        group.finish();
    }
    criterion.final_summary();
}
