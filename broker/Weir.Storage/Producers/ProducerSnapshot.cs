using Weir.Storage.Files;
using Weir.Storage.Indexes;

namespace Weir.Storage.Producers;

/// <summary>
/// The producer state and the leader epochs at an offset, so that recovery need not walk the whole log for it, and still has it when the segments
/// that it comes from are deleted.
/// </summary>
internal static class ProducerSnapshot
{
    private const string FileName = "producers.snapshot";

    public static void Save(ILogFiles files, string directory, long offset, ProducerStateTable table, EpochHistory epochs) =>
        CacheFile.Save(files, $"{directory}/{FileName}", isDurable: true, writer =>
        {
            writer.Write(offset);
            table.Save(writer);
            writer.Write(epochs.Starts.Length);
            foreach (var (epoch, start) in epochs.Starts)
            {
                writer.Write(epoch);
                writer.Write(start);
            }
        });

    /// <summary>Deletes the snapshot, durably.</summary>
    public static void Delete(ILogFiles files, string directory)
    {
        if (files.FileExists($"{directory}/{FileName}"))
        {
            files.Delete($"{directory}/{FileName}");
        }

        files.SyncDirectory(directory);
    }

    /// <summary>Loads the snapshot; false if there is no whole one.</summary>
    public static bool TryLoad(
        ILogFiles files, string directory, ProducerStateTable table, EpochHistory epochs, out long offset)
    {
        long loaded = 0;
        var isValid = CacheFile.TryLoad(files, $"{directory}/{FileName}", reader =>
        {
            loaded = reader.ReadInt64();
            table.Load(reader);
            var starts = new List<(int Epoch, long StartOffset)>();
            for (var left = reader.ReadInt32(); left > 0; left--)
            {
                starts.Add((reader.ReadInt32(), reader.ReadInt64()));
            }

            epochs.Reset(starts);
            return true;
        });
        offset = loaded;
        return isValid;
    }
}
