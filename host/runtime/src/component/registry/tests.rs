//! Components built by hand against the registry: what fits, what is refused and
//! in which words, and what stays in memory.

use std::sync::Arc;

use model::Digest;
use testkit::{HandmadeComponent, Run};

use super::memory_cache::MemoryCache;
use super::{ComponentSource, LoadError, Loaded, Registry};
use crate::component::inspect::{PublishRefusal, digest, inspect};
use crate::component::wasm::WasmEngine;
use crate::memory::{MachineLimits, PoolSize, SandboxBudget};
use crate::settings::{CodeLimits, CompileIn, Pooling, SandboxLimits};

fn registry(limits: SandboxLimits, code: &CodeLimits) -> Arc<Registry> {
    const MEMORY_BYTES: u64 = 4 << 30;
    let size = PoolSize::new(32, MEMORY_BYTES, &limits, &MachineLimits::detect());
    let wasm = WasmEngine::new(Pooling::Required, size, &limits).unwrap();
    let budget = SandboxBudget::new(&wasm.size(), MEMORY_BYTES);
    Arc::new(Registry::open(wasm, budget, None, CompileIn::Process, code, limits).unwrap())
}

/// Inspects, compiles and links a component as publishing does.
async fn published(
    component: &HandmadeComponent,
    limits: SandboxLimits,
) -> Result<Arc<Loaded>, PublishRefusal> {
    let bytes = component.build();
    let inspected = inspect(&bytes, &model::Limits::default())?;
    let registry = registry(limits, &CodeLimits::default());
    let loaded = registry.load(inspected.digest, ComponentSource::Bytes(bytes.into()));
    loaded.await.map_err(|error| match error {
        LoadError::Rejected(refusal) | LoadError::Refused(refusal) => refusal,
        LoadError::Unavailable(_, why) => panic!("{why}"),
    })
}

async fn refusal(component: &HandmadeComponent) -> PublishRefusal {
    match published(component, SandboxLimits::default()).await {
        Err(refusal) => refusal,
        Ok(_) => panic!("{component:?} is not refused"),
    }
}

fn of_run(run: Run) -> HandmadeComponent {
    HandmadeComponent {
        run,
        ..HandmadeComponent::default()
    }
}

#[tokio::test]
async fn exports_of_another_type_are_refused_by_name() {
    let right = of_run(Run::Right);
    let fits = published(&right, SandboxLimits::default()).await;
    assert!(fits.is_ok_and(|loaded| loaded.handler().is_some()));
    for (run, words) in [
        (Run::OtherResult, "expected `result` found `u32`"),
        (Run::OneFieldMore, "expected record of 13 fields, found 14"),
        (Run::OtherName, "`run` is missing"),
    ] {
        let refusal = refusal(&of_run(run)).await;
        assert_eq!(refusal.code(), "component_does_not_link");
        let text = refusal.to_string();
        assert!(
            text.contains("`flowhost:engine/attempt@0.1.0` `run`"),
            "{text}"
        );
        assert!(text.contains(words), "{words} is not in: {text}");
    }
}

#[tokio::test]
async fn imports_of_another_type_are_refused_by_name() {
    let component = HandmadeComponent {
        wrong_log: true,
        ..HandmadeComponent::default()
    };
    let refusal = refusal(&component).await;
    assert_eq!(refusal.code(), "component_does_not_link");
    let text = refusal.to_string();
    assert!(text.contains("flowhost:engine/log@0.1.0"), "{text}");
}

#[tokio::test]
async fn a_component_too_large_for_a_sandbox_fits_once_the_named_setting_is_raised() {
    let default = SandboxLimits::default;
    let cases = [
        (
            HandmadeComponent {
                memory_pages: 1025,
                ..HandmadeComponent::default()
            },
            "sandbox.memory_bytes_max to 67174400 or more",
            SandboxLimits {
                memory_bytes_max: 67_174_400,
                ..default()
            },
        ),
        (
            HandmadeComponent {
                tables: vec![20_001],
                ..HandmadeComponent::default()
            },
            "sandbox.table_elements_max to 20001 or more",
            SandboxLimits {
                table_elements_max: 20_001,
                ..default()
            },
        ),
        (
            HandmadeComponent {
                tables: vec![40_000],
                ..HandmadeComponent::default()
            },
            "sandbox.table_elements_max to 40000 or more",
            SandboxLimits {
                table_elements_max: 40_000,
                ..default()
            },
        ),
        (
            HandmadeComponent {
                tables: vec![1; 33],
                ..HandmadeComponent::default()
            },
            "sandbox.tables_max to 33 or more",
            SandboxLimits {
                tables_max: 33,
                ..default()
            },
        ),
        (
            HandmadeComponent {
                instances: vec![0; 8],
                ..HandmadeComponent::default()
            },
            "sandbox.memories_max to 9 or more",
            SandboxLimits {
                memories_max: 9,
                ..default()
            },
        ),
        (
            HandmadeComponent {
                tables: vec![1; 64],
                ..HandmadeComponent::default()
            },
            "sandbox.instances_max to 65 or more",
            SandboxLimits {
                instances_max: 65,
                tables_max: 64,
                ..default()
            },
        ),
    ];
    for (component, advice, raised) in cases {
        let refusal = refusal(&component).await;
        assert_eq!(refusal.code(), "component_exceeds_limits", "{advice}");
        let text = refusal.to_string();
        assert!(text.contains(advice), "{advice} is not in: {text}");
        let after = published(&component, raised).await;
        assert!(after.is_ok(), "{advice}: {}", after.err().unwrap());
    }
}

#[tokio::test]
async fn a_build_with_http_fits_once_the_advice_is_followed() {
    // What `jco componentize` imports without further arguments.
    let build = |http: &[&str]| HandmadeComponent {
        imports: [
            "wasi:cli/stdin@0.2.10",
            "wasi:cli/stdout@0.2.10",
            "wasi:cli/stderr@0.2.10",
            "wasi:cli/terminal-stdin@0.2.10",
            "wasi:clocks/monotonic-clock@0.2.10",
            "wasi:clocks/wall-clock@0.2.10",
            "wasi:io/error@0.2.10",
            "wasi:io/poll@0.2.10",
            "wasi:io/streams@0.2.10",
            "wasi:random/random@0.2.10",
        ]
        .iter()
        .chain(http)
        .map(ToString::to_string)
        .collect(),
        ..HandmadeComponent::default()
    };
    let default = build(&[
        "wasi:http/types@0.2.10",
        "wasi:http/outgoing-handler@0.2.10",
    ]);
    let refusal_of_default = refusal(&default).await;
    assert_eq!(refusal_of_default.code(), "component_imports");
    let text = refusal_of_default.to_string();
    assert!(text.contains("`wasi:http/types@0.2.10`"), "{text}");
    assert!(
        text.contains("--disable http --disable fetch-event"),
        "{text}"
    );
    // The first alone leaves `types` in, the two leave nothing of it.
    let half = refusal(&build(&["wasi:http/types@0.2.10"])).await;
    assert_eq!(half.code(), "component_imports");
    let followed = published(&build(&[]), SandboxLimits::default()).await;
    assert!(followed.is_ok());
}

#[tokio::test]
async fn a_draft_of_wasi_is_called_one_and_its_release_fits() {
    let build = |version: &str| HandmadeComponent {
        imports: vec![format!("wasi:cli/environment@{version}")],
        ..HandmadeComponent::default()
    };
    let text = refusal(&build("0.2.0-rc-2023-11-10")).await.to_string();
    assert!(
        text.contains("`wasi:cli/environment@0.2.0-rc-2023-11-10`"),
        "{text}"
    );
    assert!(text.contains("a draft from before WASI 0.2"), "{text}");
    let released = published(&build("0.2.0"), SandboxLimits::default()).await;
    assert!(released.is_ok());
}

#[tokio::test]
async fn every_interface_that_may_be_imported_is_linked() {
    for (package, interfaces) in crate::component::inspect::WASI {
        for interface in *interfaces {
            let component = HandmadeComponent {
                imports: vec![format!("wasi:{package}/{interface}@0.2.3")],
                ..HandmadeComponent::default()
            };
            let fits = published(&component, SandboxLimits::default()).await;
            assert!(
                fits.is_ok(),
                "{package}/{interface}: {}",
                fits.err().unwrap()
            );
        }
    }
}

#[tokio::test]
async fn sparse_data_compiles_to_little() {
    let component = HandmadeComponent {
        instances: vec![256; 3],
        far_data: true,
        ..HandmadeComponent::default()
    };
    let loaded = published(&component, SandboxLimits::default())
        .await
        .unwrap();
    assert!(loaded.bytes < 1 << 20, "{} bytes", loaded.bytes);
}

#[tokio::test]
async fn a_component_that_compiles_to_more_than_allowed_is_refused_for_now() {
    let code = CodeLimits {
        compiled_bytes_max: 1000,
        ..CodeLimits::default()
    };
    let registry = registry(SandboxLimits::default(), &code);
    let bytes = HandmadeComponent::default().build();
    let wanted = digest(&bytes);
    let error = registry
        .load(wanted, ComponentSource::Bytes(bytes.into()))
        .await
        .err()
        .unwrap();
    assert!(matches!(error, LoadError::Refused(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("runtime.compiled_bytes_max"), "{text}");
}

#[tokio::test]
async fn one_component_is_compiled_once_however_many_ask() {
    let registry = registry(SandboxLimits::default(), &CodeLimits::default());
    let bytes: Arc<[u8]> = HandmadeComponent::default().build().into();
    let wanted = digest(&bytes);
    let asks = (0..20).map(|_| registry.load(wanted, ComponentSource::Bytes(bytes.clone())));
    for loaded in futures::future::join_all(asks).await {
        assert!(loaded.is_ok());
    }
    assert_eq!(registry.stats().compiles, 1);
}

#[test]
fn the_memory_cache_stays_within_its_budget_and_keeps_components_in_use() {
    let of = |n: u8, bytes| Arc::new(Loaded::of_size(Digest([n; 32]), bytes));
    let mut cache = MemoryCache::new(300);
    for n in 1..=3 {
        cache.put(of(n, 100)).unwrap();
    }
    // Held and used least recently: the one after it goes.
    let held = cache.get(&Digest([1; 32])).unwrap();
    for n in 2..=3 {
        cache.get(&Digest([n; 32])).unwrap();
    }
    cache.put(of(4, 100)).unwrap();
    assert!(cache.get(&Digest([1; 32])).is_some(), "held");
    assert!(cache.get(&Digest([2; 32])).is_none(), "used least recently");
    assert_eq!(cache.stats(), (3, 300));
    let refused = cache.put(of(5, 201)).unwrap_err();
    assert!(refused.to_string().contains("runtime.loaded_bytes_max"));
    assert_eq!(cache.stats(), (3, 300), "nothing went for nothing");
    drop(held);
    cache.put(of(5, 201)).unwrap();
    assert!(cache.stats().1 <= 300);
}
