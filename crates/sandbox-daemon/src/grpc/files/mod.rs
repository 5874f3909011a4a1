//! Files: metadata, transfers, searches and archives.

mod archive;
mod convert;
mod found;
mod incoming;
mod read;
mod uploads;
mod write;

use std::sync::Arc;

use sandbox_wire::pb;
use sandbox_wire::pb::files_service_server::FilesService;
use tonic::{Request, Response, Status, Streaming};

use super::context::Context;
use super::stream::Events;
use crate::service::files::{self, Links, Opened, Range, at};
use crate::service::{Error, State};
use convert::{info, mode_of, path_of};
use uploads::Uploads;

#[derive(Debug)]
pub(super) struct Files {
    files: sandbox_files::Files,
    uploads: Arc<Uploads>,
}

impl Files {
    pub(super) fn new(state: &State) -> Self {
        Self {
            files: state.files.clone(),
            uploads: Arc::default(),
        }
    }
}

#[tonic::async_trait]
impl FilesService for Files {
    type ReadStream = Events<pb::ReadResponse>;
    type FindStream = Events<pb::FindResponse>;
    type SearchStream = Events<pb::SearchResponse>;
    type ReadArchiveStream = Events<pb::ReadArchiveResponse>;

    async fn stat(
        &self,
        request: Request<pb::StatRequest>,
    ) -> Result<Response<pb::StatResponse>, Status> {
        let request = request.into_inner();
        let links = if request.no_follow {
            Links::Stay
        } else {
            Links::Follow
        };
        let (path, metadata) = files::stat(&self.files, &path_of(request.path), links).await?;
        let file = Some(info(path, &metadata));
        Ok(Response::new(pb::StatResponse { file }))
    }

    async fn list(
        &self,
        request: Request<pb::ListRequest>,
    ) -> Result<Response<pb::ListResponse>, Status> {
        let request = request.into_inner();
        let path = if request.path.is_empty() {
            ".".into()
        } else {
            path_of(request.path)
        };
        let depth = usize::try_from(request.depth).unwrap_or(usize::MAX);
        let size = usize::try_from(request.page_size).unwrap_or(usize::MAX);
        let token = &request.page_token;
        let listed = files::page(&self.files, &path, depth, size, token).await?;
        let entries = listed.entries.into_iter();
        Ok(Response::new(pb::ListResponse {
            files: entries
                .map(|(path, metadata)| info(path, &metadata))
                .collect(),
            next_page_token: listed.next.unwrap_or_default(),
            is_incomplete: listed.is_incomplete,
        }))
    }

    async fn read(
        &self,
        request: Request<pb::ReadRequest>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let context = Context::of(&request)?;
        let request = request.into_inner();
        let path = path_of(request.path);
        let range = Range {
            offset: request.offset,
            length: request.length,
            if_match: request.if_match,
        };
        let opened = Opened::new(&self.files, &path, &range).await?;
        let path = self.files.absolute(&path).map_err(Error::from)?;
        Ok(read::respond(path, opened, context))
    }

    async fn write(
        &self,
        request: Request<Streaming<pb::WriteRequest>>,
    ) -> Result<Response<pb::WriteResponse>, Status> {
        let context = Context::of(&request)?;
        let file = write::write(&self.files, &self.uploads, request.into_inner(), context).await?;
        let file = Some(file);
        Ok(Response::new(pb::WriteResponse { file }))
    }

    async fn get_upload(
        &self,
        request: Request<pb::GetUploadRequest>,
    ) -> Result<Response<pb::GetUploadResponse>, Status> {
        let progress = self.uploads.progress(&request.get_ref().upload_id)?;
        Ok(Response::new(pb::GetUploadResponse {
            offset: progress.received,
            is_complete: progress.is_complete,
        }))
    }

    async fn delete_upload(
        &self,
        request: Request<pb::DeleteUploadRequest>,
    ) -> Result<Response<pb::DeleteUploadResponse>, Status> {
        self.uploads.delete(&request.get_ref().upload_id);
        Ok(Response::new(pb::DeleteUploadResponse {}))
    }

    async fn create_directory(
        &self,
        request: Request<pb::CreateDirectoryRequest>,
    ) -> Result<Response<pb::CreateDirectoryResponse>, Status> {
        let request = request.into_inner();
        let (path, mode) = (path_of(request.path), mode_of(request.mode)?);
        let created = self.files.create_dir(&path, mode).await;
        created.map_err(at(&path))?;
        Ok(Response::new(pb::CreateDirectoryResponse {}))
    }

    async fn remove(
        &self,
        request: Request<pb::RemoveRequest>,
    ) -> Result<Response<pb::RemoveResponse>, Status> {
        let request = request.into_inner();
        let path = path_of(request.path);
        let help = "set `recursive` to remove it with its entries";
        files::remove(&self.files, &path, request.recursive, help).await?;
        Ok(Response::new(pb::RemoveResponse {}))
    }

    async fn rename(
        &self,
        request: Request<pb::RenameRequest>,
    ) -> Result<Response<pb::RenameResponse>, Status> {
        let request = request.into_inner();
        let (from, to) = (path_of(request.from), path_of(request.to));
        files::rename(&self.files, &from, &to).await?;
        Ok(Response::new(pb::RenameResponse {}))
    }

    async fn set_permissions(
        &self,
        request: Request<pb::SetPermissionsRequest>,
    ) -> Result<Response<pb::SetPermissionsResponse>, Status> {
        let request = request.into_inner();
        let (path, mode) = (path_of(request.path), mode_of(request.mode)?);
        let (owner, group) = (&request.owner, &request.group);
        files::set_permissions(&self.files, &path, mode, owner, group).await?;
        Ok(Response::new(pb::SetPermissionsResponse {}))
    }

    async fn find(
        &self,
        request: Request<pb::FindRequest>,
    ) -> Result<Response<Self::FindStream>, Status> {
        let request = request.into_inner();
        let path = path_of(request.path);
        let found = files::find(&self.files, &path, &request.text).await?;
        Ok(found::lines(path, found))
    }

    async fn search(
        &self,
        request: Request<pb::SearchRequest>,
    ) -> Result<Response<Self::SearchStream>, Status> {
        let request = request.into_inner();
        let path = path_of(request.path);
        let found = files::search(&self.files, &path, &request.pattern).await?;
        Ok(found::paths(path, found))
    }

    async fn replace(
        &self,
        request: Request<pb::ReplaceRequest>,
    ) -> Result<Response<pb::ReplaceResponse>, Status> {
        let request = request.into_inner();
        if request.old.is_empty() {
            return Err(Error::bad("the text to replace is empty").into());
        }
        let mut results = Vec::with_capacity(request.paths.len());
        for path in request.paths {
            let (old, new) = (request.old.clone(), request.new.clone());
            let replaced = self.files.replace(path_of(path.clone()), old, new).await;
            let result = match replaced.map_err(Error::from) {
                Ok(count) => pb::ReplaceResult {
                    count,
                    ..pb::ReplaceResult::default()
                },
                Err(error) => pb::ReplaceResult {
                    error_code: error.code().name().to_owned(),
                    error_message: error.message().to_owned(),
                    ..pb::ReplaceResult::default()
                },
            };
            results.push(pb::ReplaceResult { path, ..result });
        }
        Ok(Response::new(pb::ReplaceResponse { results }))
    }

    async fn read_archive(
        &self,
        request: Request<pb::ReadArchiveRequest>,
    ) -> Result<Response<Self::ReadArchiveStream>, Status> {
        let context = Context::of(&request)?;
        let path = path_of(request.into_inner().path);
        let reader = self.files.read_archive(&path).await;
        let reader = reader.map_err(at(&path))?;
        Ok(archive::respond(path, reader, context))
    }

    async fn write_archive(
        &self,
        request: Request<Streaming<pb::WriteArchiveRequest>>,
    ) -> Result<Response<pb::WriteArchiveResponse>, Status> {
        let context = Context::of(&request)?;
        let summary = archive::receive(&self.files, request.into_inner(), context).await?;
        let summary = Some(summary);
        Ok(Response::new(pb::WriteArchiveResponse { summary }))
    }
}
