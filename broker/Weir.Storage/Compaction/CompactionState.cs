using Weir.Storage.Files;
using Weir.Storage.Indexes;

namespace Weir.Storage.Compaction;

/// <summary>How far a log is compacted. A cache: without it the whole log is compacted again, and tombstones stay longer.</summary>
/// <param name="CleanOffset">Below it, each key has one record, or none.</param>
/// <param name="TombstoneBytes">About how many bytes of tombstones are below it.</param>
/// <param name="HorizonMs">When the last of them may go, Unix milliseconds.</param>
internal readonly record struct CompactionState(long CleanOffset, long TombstoneBytes, long HorizonMs)
{
    private const string FileName = "compaction";

    public static CompactionState Load(ILogFiles files, string directory)
    {
        var state = default(CompactionState);
        CacheFile.TryLoad(files, $"{directory}/{FileName}", reader =>
        {
            state = new CompactionState(reader.ReadInt64(), reader.ReadInt64(), reader.ReadInt64());
            return true;
        });
        return state;
    }

    /// <summary>Notes it, after all that it says has become durable.</summary>
    public void Save(ILogFiles files, string directory)
    {
        var state = this;
        CacheFile.Save(files, $"{directory}/{FileName}", isDurable: false, writer =>
        {
            writer.Write(state.CleanOffset);
            writer.Write(state.TombstoneBytes);
            writer.Write(state.HorizonMs);
        });
    }

    /// <summary>Forgets it, durably, if it says something of offsets that are about to be cut off.</summary>
    public static void ForgetAbove(ILogFiles files, string directory, long offset)
    {
        var path = $"{directory}/{FileName}";
        if (files.FileExists(path) && Load(files, directory).CleanOffset > offset)
        {
            files.Delete(path);
            files.SyncDirectory(directory);
        }
    }
}
