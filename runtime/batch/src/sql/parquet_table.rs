//! Parquet files of the same columns as a table: DataFusion's own reader, which
//! reads row groups side by side and leaves out those whose statistics say
//! that no row of them can match.

use std::path::Path;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::prelude::SessionContext;
use url::Url;

use crate::remote::{is_url, object_place};
use crate::sql::error::SqlError;
use crate::sql::file_table::FileTable;
use crate::sql::table_files::TableFiles;

/// What reads the files of a table.
pub(crate) fn provider_of(
    files: &Arc<TableFiles>,
    context: &SessionContext,
) -> Result<Arc<dyn TableProvider>, SqlError> {
    if !files.is_uniform_parquet() {
        return Ok(Arc::new(FileTable::new(Arc::clone(files))));
    }
    let urls = files
        .files
        .iter()
        .map(|file| {
            let url = match is_url(&file.path) {
                true => object_url(&file.path, context)?,
                false => local_url(&file.path)?,
            };
            ListingTableUrl::try_new(url, None).map_err(SqlError::of)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let settings = context.state().default_table_options().parquet;
    let format = ParquetFormat::default().with_options(settings);
    let options = ListingOptions::new(Arc::new(format)).with_file_extension("");
    let config = ListingTableConfig::new_with_multi_paths(urls)
        .with_listing_options(options)
        .with_schema(Arc::clone(&files.schema));
    Ok(Arc::new(ListingTable::try_new(config).map_err(SqlError::of)?))
}

fn local_url(path: &Path) -> Result<Url, SqlError> {
    let failed =
        || SqlError::Internal { reason: format!("{} cannot be written as a URL", path.display()) };
    let path = std::path::absolute(path).map_err(|_| failed())?;
    Url::from_file_path(path).map_err(|()| failed())
}

fn object_url(path: &Path, context: &SessionContext) -> Result<Url, SqlError> {
    let place = object_place(path)?;
    let wrong =
        |reason: String| SqlError::Query { reason: format!("{}: {reason}", path.display()) };
    let mut url = Url::parse(&place.base).map_err(|error| wrong(error.to_string()))?;
    context.register_object_store(&url, place.store);
    url.path_segments_mut()
        .map_err(|()| wrong("it has no path".to_owned()))?
        .extend(place.path.parts().map(|part| part.as_ref().to_owned()));
    Ok(url)
}
