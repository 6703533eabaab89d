using Weir.Storage.Files;
using Weir.Storage.Indexes;

namespace Weir.Storage.Producers;

/// <summary>
/// The producer state at an offset, so that recovery need not walk the whole log for it, and still has it when the segments
/// that it comes from are deleted.
/// </summary>
internal static class ProducerSnapshot
{
    private const string FileName = "producers.snapshot";

    public static void Save(ILogFiles files, string directory, long offset, ProducerStateTable table) =>
        CacheFile.Save(files, $"{directory}/{FileName}", isDurable: true, writer =>
        {
            writer.Write(offset);
            table.Save(writer);
        });

    /// <summary>Loads the snapshot into a table; false and an empty table if there is no whole one.</summary>
    public static bool TryLoad(ILogFiles files, string directory, ProducerStateTable table, out long offset)
    {
        long loaded = 0;
        var isValid = CacheFile.TryLoad(files, $"{directory}/{FileName}", reader =>
        {
            loaded = reader.ReadInt64();
            table.Load(reader);
            return true;
        });
        offset = loaded;
        return isValid;
    }
}
