using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Weir.Protocol.Errors;

namespace Weir.Server.Peers;

/// <summary>
/// How brokers prove to each other that they belong to one cluster: an answer to a random challenge, made with the cluster's
/// secret. Only a connection that has given one may call the APIs between brokers.
/// </summary>
/// <remarks>
/// Without a configured secret the key is empty: then the proof keeps ordinary clients out, not attackers. The options allow
/// that on loopback only, or by the same unsafe setting that lets clients in without authentication.
/// </remarks>
internal sealed class PeerCredentials(string secret)
{
    /// <summary>The mechanism's name.</summary>
    public const string Mechanism = "peer-hmac-sha256";

    /// <summary>Bytes of a challenge.</summary>
    public const int ChallengeBytes = 32;

    private readonly byte[] _key = Encoding.UTF8.GetBytes(secret);

    /// <summary>A new challenge.</summary>
    public static byte[] NewChallenge() => RandomNumberGenerator.GetBytes(ChallengeBytes);

    /// <summary>The proof of a node for a challenge.</summary>
    public byte[] Prove(int nodeId, ReadOnlySpan<byte> challenge)
    {
        var proof = new byte[sizeof(int) + HMACSHA256.HashSizeInBytes];
        BinaryPrimitives.WriteInt32LittleEndian(proof, nodeId);
        Span<byte> message = stackalloc byte[sizeof(int) + ChallengeBytes];
        proof.AsSpan(0, sizeof(int)).CopyTo(message);
        challenge.CopyTo(message[sizeof(int)..]);
        HMACSHA256.HashData(_key, message[..(sizeof(int) + challenge.Length)], proof.AsSpan(sizeof(int)));
        return proof;
    }

    /// <summary>Checks a proof and returns the node that gave it.</summary>
    /// <exception cref="ProtocolException">It is wrong.</exception>
    public int Verify(ReadOnlySpan<byte> proof, ReadOnlySpan<byte> challenge)
    {
        if (proof.Length != sizeof(int) + HMACSHA256.HashSizeInBytes || challenge.Length != ChallengeBytes)
        {
            throw new ProtocolException(ErrorCode.AuthenticationFailed, "the proof of a broker has another form");
        }

        var nodeId = BinaryPrimitives.ReadInt32LittleEndian(proof);
        return CryptographicOperations.FixedTimeEquals(proof, Prove(nodeId, challenge))
            ? nodeId
            : throw new ProtocolException(
                ErrorCode.AuthenticationFailed, "the proof of a broker is wrong: give all brokers the same ClusterSecret");
    }
}
