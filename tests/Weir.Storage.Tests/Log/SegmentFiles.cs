using Weir.Storage.Files;

namespace Weir.Storage.Tests.Log;

/// <summary>What stands in the directory of the test beds' log.</summary>
internal static class SegmentFiles
{
    /// <summary>Deletes all that a log can do without, but its checkpoint.</summary>
    public static void DeleteCaches(ILogFiles files)
    {
        foreach (var name in files.ListFiles(LogTestBed.Directory))
        {
            if (name.EndsWith(".index", StringComparison.Ordinal) || name.Contains("producers", StringComparison.Ordinal))
            {
                files.Delete($"{LogTestBed.Directory}/{name}");
            }
        }
    }

    /// <summary>Base offsets of the segments, in order.</summary>
    public static List<long> Bases(ILogFiles files) =>
        Segments(files).Select(static name => long.Parse(name[..20], System.Globalization.CultureInfo.InvariantCulture)).ToList();

    /// <summary>Names of the segments, in order.</summary>
    public static List<string> Segments(ILogFiles files) => files.ListFiles(LogTestBed.Directory)
        .Where(static name => name.EndsWith(".log", StringComparison.Ordinal)).ToList();
}
