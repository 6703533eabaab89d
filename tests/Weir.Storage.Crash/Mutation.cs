using Weir.Storage.Files;

namespace Weir.Storage.Crash;

/// <summary>Ways to break the code under test on purpose: the campaign must find each.</summary>
public enum Mutation
{
    /// <summary>Everything as it is.</summary>
    None,

    /// <summary>Acknowledge what was written and not synced.</summary>
    AcknowledgeBeforeSync,

    /// <summary>Cut at the first bad checksum, whatever proves that the data was committed.</summary>
    CutWithoutProof,

    /// <summary>Leave out every directory sync.</summary>
    SkipDirectorySync,

    /// <summary>Write the footer of a segment before its batches are synced.</summary>
    FooterBeforeDataSync,

    /// <summary>Believe at recovery what the page cache shows after a failed sync.</summary>
    TrustPageCache,

    /// <summary>Give a compacted segment the name of what it replaces before it is synced.</summary>
    SwapUnsynced,

    /// <summary>Delete what a compacted segment replaces before its name is synced.</summary>
    DeleteBeforeSwap,

    /// <summary>Compact what is above the high watermark.</summary>
    CompactUncommitted,

    /// <summary>Remove tombstones with what they hide.</summary>
    DropTombstones,

    /// <summary>Forget in compaction which batches tell a producer's retry.</summary>
    ForgetProducers,
}

/// <summary>A disk without directory syncs.</summary>
internal sealed class NoDirectorySync(ILogFiles inner) : ILogFiles
{
    public bool CanSyncAll => false;

    public long FreeBytes => inner.FreeBytes;

    public ILogFile Open(string path, OpenKind kind) => inner.Open(path, kind);

    public bool FileExists(string path) => inner.FileExists(path);

    public IReadOnlyList<string> ListFiles(string directory) => inner.ListFiles(directory);

    public IReadOnlyList<string> ListDirectories(string directory) => inner.ListDirectories(directory);

    public void CreateDirectory(string directory) => inner.CreateDirectory(directory);

    public void DeleteDirectory(string directory) => inner.DeleteDirectory(directory);

    public void Delete(string path) => inner.Delete(path);

    public void Rename(string from, string to) => inner.Rename(from, to);

    public void SyncDirectory(string directory)
    {
    }

    public void SyncAll() => inner.SyncAll();
}
