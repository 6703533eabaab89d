using System.Text;
using CsCheck;
using Xunit;

namespace Weir.Storage.Tests.Log;

/// <summary>Whatever is done with a compacted log, it says the same of every key as a dictionary does.</summary>
[Trait("Category", "Unit")]
public sealed class CompactionPropertyTests
{
    private static readonly Gen<(int What, int Key, int Size)[]> Operations =
        Gen.Select(Gen.Int[0, 19], Gen.Int[0, 11], Gen.Int[0, 400]).Array[1, 160];

    [Fact]
    public void Log_holds_what_a_dictionary_holds() => Operations.Sample(Check, iter: 200);

    private static void Check((int What, int Key, int Size)[] operations)
    {
        using var bed = new CompactionTestBed();
        var expected = new Dictionary<string, string>();
        foreach (var (what, key, size) in operations)
        {
            switch (what)
            {
                case < 12:
                    Put(bed, expected, $"key-{key}", new string((char)('a' + (size % 26)), size));
                    break;
                case < 16:
                    Put(bed, expected, $"key-{key}", null);
                    break;
                case 16:
                    bed.NowMs += (long)TimeSpan.FromHours(size / 10.0).TotalMilliseconds;
                    break;
                case 17:
                    bed.Reopen();
                    break;
                default:
                    bed.Compact(highWatermark: bed.Log.DurableOffset - (size % 5), isForced: key > 3);
                    break;
            }
        }

        AssertEqual(bed, expected);
        bed.Roll();
        bed.Compact();
        bed.Reopen();
        AssertEqual(bed, expected);
        var below = bed.ActiveBase();
        var compacted = bed.Read().Where(record => record.Offset < below).ToList();
        Assert.Equal(compacted.Count, compacted.DistinctBy(static record => record.Key).Count());
    }

    private static void Put(CompactionTestBed bed, Dictionary<string, string> expected, string key, string? value)
    {
        bed.Put(key, value);
        if (value is null)
        {
            expected.Remove(key);
        }
        else
        {
            expected[key] = value;
        }
    }

    private static void AssertEqual(CompactionTestBed bed, Dictionary<string, string> expected)
    {
        var read = new Dictionary<string, string>();
        foreach (var record in bed.Read().Where(static record => record.Key != "filler"))
        {
            Assert.Equal(bed.Appended[(int)record.Offset], record);
            Put(read, record.Key!, record.Value);
        }

        Assert.Equal(expected.OrderBy(static pair => pair.Key), read.OrderBy(static pair => pair.Key));
        for (var key = 0; key < 12; key++)
        {
            var found = bed.Log.FindLatest(Encoding.UTF8.GetBytes($"key-{key}"), bed.Log.DurableOffset);
            Assert.Equal(
                expected.GetValueOrDefault($"key-{key}"),
                found?.Value is { } value ? Encoding.UTF8.GetString(value.Span) : null);
        }
    }

    private static void Put(Dictionary<string, string> read, string key, string? value)
    {
        if (value is null)
        {
            read.Remove(key);
        }
        else
        {
            read[key] = value;
        }
    }
}
