using System.Text;

namespace Weir.Server.Transport;

/// <summary>Recognises the first bytes of clients that speak another protocol, so that both sides can be told.</summary>
internal static class Stranger
{
    private static readonly string[] HttpMethods = ["GET ", "HEAD", "POST", "PUT ", "DELE", "OPTI", "PATC", "CONN", "PRI "];

    /// <summary>What to answer an HTTP client with.</summary>
    public static ReadOnlyMemory<byte> HttpAnswer { get; } = Encoding.ASCII.GetBytes(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 68\r\n\r\n"
            + "This port speaks the Weir protocol. HTTP is on the broker's --http.\n");

    /// <summary>The protocol that the first bytes of a connection look like; null for none that is known.</summary>
    public static string? Recognise(ReadOnlySpan<byte> first)
    {
        if (first.Length >= 3 && first[0] == 0x16 && first[1] == 0x03)
        {
            return "TLS";
        }

        foreach (var method in HttpMethods)
        {
            if (first.Length >= 4 && first[..4].SequenceEqual(Encoding.ASCII.GetBytes(method)))
            {
                return "HTTP";
            }
        }

        return null;
    }
}
