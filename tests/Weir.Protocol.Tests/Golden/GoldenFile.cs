using System.Text;
using Xunit;

namespace Weir.Protocol.Tests.Golden;

/// <summary>Bytes as committed text: lines of hex, and comment lines that start with <c>#</c>.</summary>
internal static class GoldenFile
{
    private const int BytesPerLine = 32;

    /// <summary>Fails unless the committed file says the same; rewrites it first if told to.</summary>
    public static void Check(string name, IEnumerable<string> comments, ReadOnlySpan<byte> bytes)
    {
        var path = Path.Combine(Repository.GoldenDirectory, name + ".hex");
        var text = Format(comments, bytes);
        if (Repository.IsRewriting)
        {
            File.WriteAllText(path, text);
        }

        Assert.True(File.Exists(path), $"{path} is missing: run the tests with {Repository.RewriteVariable}=1");
        Assert.Equal(File.ReadAllText(path), text);
    }

    /// <summary>The bytes of a committed file.</summary>
    public static byte[] Read(string name)
    {
        var lines = File.ReadAllLines(Path.Combine(Repository.GoldenDirectory, name + ".hex"));
        return Convert.FromHexString(string.Concat(lines.Where(static line => !line.StartsWith('#'))));
    }

    private static string Format(IEnumerable<string> comments, ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder();
        foreach (var comment in comments)
        {
            text.Append("# ").Append(comment).Append('\n');
        }

        for (var position = 0; position < bytes.Length; position += BytesPerLine)
        {
            text.Append(Convert.ToHexStringLower(bytes[position..Math.Min(position + BytesPerLine, bytes.Length)])).Append('\n');
        }

        return text.ToString();
    }
}
