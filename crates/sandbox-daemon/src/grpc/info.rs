//! Information about the daemon.

use sandbox_engine::code::Language;
use sandbox_engine::interpreter::Contexts;
use sandbox_engine::{Containment, Engine};
use sandbox_wire::pb;
use sandbox_wire::pb::info_service_server::InfoService;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::convert;
use super::resources::limit_support;
use crate::limits::{GRPC_CHUNK_BYTES, REQUEST_BODY_BYTES};
use crate::service::info::{Metrics, VERSION, change_env, home};
use crate::service::isolation::{Problem, limits as limits_of, support};
use crate::service::{State, ports};

#[derive(Debug)]
pub(super) struct Info {
    state: State,
    engine: Engine,
    instance_id: String,
}

impl Info {
    pub(super) fn new(state: &State) -> Self {
        Self {
            state: state.clone(),
            engine: state.engine.clone(),
            instance_id: Uuid::new_v4().to_string(),
        }
    }

    /// Returns what the system allows, which is tried if it is not known.
    async fn support(&self) -> (Option<pb::IsolationSupport>, Vec<pb::LimitSupport>) {
        let limits = limits_of(&self.state).await.into_iter();
        let limits = limits.map(limit_support).collect();
        let isolation = support(&self.state).await;
        let (level, problem) = (isolation.level(), isolation.problem);
        let (problem, help) = problem.map(|Problem { text, help }| (text, help)).unzip();
        let isolation = pb::IsolationSupport {
            level: convert::level(level),
            levels: isolation.levels.into_iter().map(convert::level).collect(),
            problem: problem.unwrap_or_default(),
            help: help.flatten().unwrap_or_default(),
            by_default: isolation.by_default,
            network_problem: isolation.network_problem.unwrap_or_default(),
        };
        (Some(isolation), limits)
    }
}

#[tonic::async_trait]
impl InfoService for Info {
    async fn get_info(
        &self,
        request: Request<pb::GetInfoRequest>,
    ) -> Result<Response<pb::GetInfoResponse>, Status> {
        use sandbox_engine::limits;
        let (isolation, limit_support) = if request.into_inner().support {
            self.support().await
        } else {
            (None, Vec::new())
        };
        let mut capabilities = vec![pb::Capability::OutOfMemory.into()];
        if self.engine.containment() == Containment::Tag {
            capabilities.push(pb::Capability::WholeTree.into());
        }
        let home = home().map(|home| home.to_string_lossy().into_owned());
        Ok(Response::new(pb::GetInfoResponse {
            version: VERSION.to_owned(),
            capabilities,
            limits: Some(pb::Limits {
                record_bytes: limits::RECORD_SPILL_BYTES + limits::RECORD_MEMORY_BYTES as u64,
                pty_record_bytes: limits::PTY_RING_BYTES as u64,
                chunk_bytes: GRPC_CHUNK_BYTES as u64,
                request_bytes: REQUEST_BODY_BYTES as u64,
                ..pb::Limits::default()
            }),
            languages: names(Language::ALL.iter().copied()),
            interpreter_languages: names(Contexts::languages()),
            work_dir: self.engine.work_dir().to_string_lossy().into_owned(),
            user_home_dir: home.unwrap_or_default(),
            instance_id: self.instance_id.clone(),
            draining: false,
            isolation,
            limit_support,
        }))
    }

    async fn get_metrics(
        &self,
        _: Request<pb::GetMetricsRequest>,
    ) -> Result<Response<pb::GetMetricsResponse>, Status> {
        let metrics = Metrics::measure(&self.engine);
        Ok(Response::new(pb::GetMetricsResponse {
            cpu_count: metrics.cpu_count,
            cpu_used_percent: None,
            memory_total: metrics.memory.total,
            memory_used: metrics.memory.used(),
            memory_cache: metrics.memory.cache,
            disk_total: metrics.disk_total,
            disk_used: metrics.disk_used,
            disk_free: metrics.disk_free,
            containment: metrics.containment.to_string(),
            time: convert::timestamp(metrics.at),
        }))
    }

    async fn update_environment(
        &self,
        request: Request<pb::UpdateEnvironmentRequest>,
    ) -> Result<Response<pb::UpdateEnvironmentResponse>, Status> {
        let request = request.into_inner();
        let set: Vec<_> = request.set.into_iter().collect();
        let prefix = &request.unset_value_prefix;
        let envs = change_env(&self.engine, &set, &request.unset, prefix)?;
        Ok(Response::new(pb::UpdateEnvironmentResponse { envs }))
    }

    async fn list_ports(
        &self,
        _: Request<pb::ListPortsRequest>,
    ) -> Result<Response<pb::ListPortsResponse>, Status> {
        let ports = ports::listed().await?.into_iter().map(u32::from);
        let ports = ports.collect();
        Ok(Response::new(pb::ListPortsResponse { ports }))
    }

    async fn get_port(
        &self,
        request: Request<pb::GetPortRequest>,
    ) -> Result<Response<pb::GetPortResponse>, Status> {
        let port = u16::try_from(request.into_inner().port).ok();
        let in_use = ports::is_in_use(port).await?;
        Ok(Response::new(pb::GetPortResponse { in_use }))
    }
}

fn names(languages: impl Iterator<Item = Language>) -> Vec<String> {
    languages
        .map(|language| language.name().to_owned())
        .collect()
}
